/** Tables of faulty hub files. */

import { expect } from 'chai';

import { hub, refusals, SMALL_HUB } from './support.js';

/** SMALL_HUB and more, on line 5 and after. */
export const withMore = (more: string) => `${SMALL_HUB}${more}\n`;
/** SMALL_HUB with other keys instead of the listener's connector. */
export const withListener = (keys: string) => SMALL_HUB.replace('connector: ldap', keys);
/** SMALL_HUB with other keys instead of the tunnel's host. */
export const withTunnel = (keys: string) => SMALL_HUB.replace('host: 127.0.0.1 }', `${keys} }`);
/** SMALL_HUB with other keys instead of jwks_file. */
export const withSecurity = (keys: string) => SMALL_HUB.replace('jwks_file: /keys/jwks.json', keys);

/** A finding starts with `<…>`: the text it points at, which stands once in the file. */
type Fault = readonly [title: string, text: string, ...found: string[]];

/** One test for each fault: exactly these findings, each at the line and column of its text. */
export function refusesEach(faults: readonly Fault[]): void {
  for (const [title, text, ...found] of faults) {
    it(`refuses ${title}`, () =>
      expect(refusals(() => hub(text))).to.deep.equal(found.map((line) => placed(line, text))));
  }
}

function placed(finding: string, text: string): string {
  const [, token = '', rest = ''] = /^<(.*?)> (.*)$/s.exec(finding) ?? [];
  const before = text.slice(0, text.indexOf(token));
  expect(text.split(token), `"${token}" stands once`).to.have.length(2);
  return `hub.yaml:${before.split('\n').length}:${before.length - before.lastIndexOf('\n')}: ${rest}`;
}
