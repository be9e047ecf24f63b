import { expect } from 'chai';
import { PemError, splitPem } from '../../../../agent/dial/pem.js';

const BLOCK = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

function fault(text: string): { line: number; message: string } {
  try {
    splitPem(text);
  } catch (error) {
    expect(error).to.be.instanceOf(PemError);
    return { line: (error as PemError).line, message: (error as PemError).message };
  }
  throw new Error('was accepted');
}

describe('agent/dial PEM', () => {
  it('finds every block with its label and line, and skips what is around them', () => {
    const blocks = splitPem(
      `# Root one\n${BLOCK}\n# and its key\n${BLOCK.replaceAll('CERTIFICATE', 'PRIVATE KEY')}`,
    );
    expect(blocks.map(({ label, line }) => ({ label, line }))).to.deep.equal([
      { label: 'CERTIFICATE', line: 2 },
      { label: 'PRIVATE KEY', line: 7 },
    ]);
    expect(blocks[0]?.text).to.equal(BLOCK);
  });

  it('accepts Windows line ends', () => {
    expect(splitPem(BLOCK.replaceAll('\n', '\r\n'))[0]?.text).to.equal(BLOCK);
  });

  it('finds nothing in text without blocks', () => {
    expect(splitPem('')).to.deep.equal([]);
    expect(splitPem('-----begin certificate-----\n')).to.deep.equal([]);
  });

  it('names the line of a block that does not end', () => {
    expect(fault(`${BLOCK}-----BEGIN CERTIFICATE-----\nAAAA\n`)).to.deep.equal({
      line: 4,
      message: '"BEGIN CERTIFICATE" has no matching END line',
    });
    expect(fault(`-----BEGIN CERTIFICATE-----\nAAAA\n${BLOCK}`).line).to.equal(1);
  });

  it('names the line of an END that nothing began', () => {
    expect(fault('\n-----END CERTIFICATE-----\n').line).to.equal(2);
    expect(fault('-----BEGIN CERTIFICATE-----\n-----END PRIVATE KEY-----\n')).to.deep.equal({
      line: 2,
      message: '"END PRIVATE KEY" has no matching BEGIN line',
    });
  });
});
