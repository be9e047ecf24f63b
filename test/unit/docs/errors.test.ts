import { expect } from 'chai';
import { AUTH_FAILURE_REASONS } from '../../../hub/auth/errors.js';
import { DIAL_FAILURE_REASONS } from '../../../agent/dial/failure.js';
import { REJECT_REASONS } from '../../../observability/metric-labels.js';
import { CloseCode, RST_REASONS } from '../../../protocol/wire/constants.js';
import { codeSpans, readPage, section, tableRows } from './markdown.js';

const PAGE = readPage('docs/reference/errors.md');

/** What stands in the first cell of each row, without its code font. */
function firstCells(heading: string): string[] {
  return tableRows(section(PAGE, heading)).map(([cell = '']) => codeSpans(cell)[0] ?? cell);
}

describe('docs/reference/errors.md', () => {
  it('explains each reason for which a stream is reset', () =>
    expect(firstCells('A stream is reset')).to.deep.equal([...RST_REASONS]));

  it('explains each reason for which a client is turned away', () =>
    expect(firstCells('A client is turned away')).to.deep.equal([...REJECT_REASONS]));

  it('explains each reason for which a token is refused', () =>
    expect(firstCells('A token is refused')).to.deep.equal([...AUTH_FAILURE_REASONS]));

  it('explains each close code', () =>
    expect(firstCells('A tunnel is closed').map(Number)).to.deep.equal(Object.values(CloseCode)));

  it('explains each reason for which an attempt of the agent fails', () =>
    expect(firstCells('The agent cannot reach the hub')).to.deep.equal([...DIAL_FAILURE_REASONS]));
});
