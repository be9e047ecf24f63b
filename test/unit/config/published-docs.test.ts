import { readFileSync, writeFileSync } from 'node:fs';

import { expect } from 'chai';

import { configurationReference } from '../../../config/describe.js';
import { agentSchema } from '../../../config/schema-agent.js';
import { hubSchema } from '../../../config/schema-hub.js';

/** `UPDATE_DOCS=1` writes the pages instead of comparing them. */
const UPDATE = process.env['UPDATE_DOCS'] === '1';
const PAGE = 'docs/reference/configuration.md';

const PUBLISHED = [
  { page: 'docs/reference/schema/hub.schema.json', schema: hubSchema },
  { page: 'docs/reference/schema/agent.schema.json', schema: agentSchema },
] as const;

describe('the published configuration reference', () => {
  before(() => {
    if (!UPDATE) return;
    for (const { page, schema } of PUBLISHED) writeFileSync(page, `${JSON.stringify(schema, null, 2)}\n`);
    writeFileSync(PAGE, configurationReference());
  });

  for (const { page, schema } of PUBLISHED) {
    it(`${page} is the schema the loader uses`, () => {
      const published: unknown = JSON.parse(readFileSync(page, 'utf8'));
      expect(published).to.deep.equal(schema);
    });
  }

  it(`${PAGE} is what the schemas describe`, () => {
    expect(readFileSync(PAGE, 'utf8')).to.equal(configurationReference());
  });
});
