import { expect } from 'chai';
import { DescriptorWatch, type DescriptorFiles } from '../../../hub/descriptor-watch.js';
import { fdCount } from '../../support/fds.js';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             unlimited            unlimited            processes
Max open files            40                   4096                 files
`;

class Files implements DescriptorFiles {
  /** What a further open fails with. */
  error: string | undefined;
  reserved = 0;

  probe(): void {
    if (this.error !== undefined) throw Object.assign(new Error(this.error), { code: this.error });
  }
  reserve(): () => void {
    this.reserved += 1;
    return () => void (this.reserved -= 1);
  }
  limits(): string {
    // Reading takes a descriptor too.
    if (this.reserved > 0) this.probe();
    return LIMITS;
  }
}

describe('DescriptorWatch', () => {
  let files: Files;
  let watch: DescriptorWatch;
  beforeEach(() => {
    files = new Files();
    watch = new DescriptorWatch(files);
  });

  it('has nothing to say while there are descriptors', () => {
    for (let count = 0; count < 3; count += 1) {
      expect(watch.check()).to.deep.equal({ spent: false, news: undefined });
    }
    expect(files.reserved).to.equal(1);
  });

  it('tells once in a spell what is wrong, the limit, and what to do', () => {
    watch.check();
    files.error = 'EMFILE';
    const first = watch.check();
    expect(first.spent).to.equal(true);
    expect(first.news).to.include({ limit: 40 });
    expect(first.news?.why).to.include('EMFILE');
    expect(first.news?.hint).to.include('LimitNOFILE');
    expect(watch.check()).to.deep.equal({ spent: true, news: undefined });
    files.error = undefined;
    expect(watch.check().spent).to.equal(false);
    files.error = 'EMFILE';
    expect(watch.check().news).to.not.equal(undefined);
  });

  it("knows the machine's limit from the process's own", () => {
    files.error = 'ENFILE';
    const { news } = watch.check();
    expect(news?.limit).to.equal(undefined);
    expect(news?.hint).to.include('fs.file-max');
  });

  it('is not alarmed by another error', () => {
    files.error = 'ENOENT';
    expect(watch.check()).to.deep.equal({ spent: false, news: undefined });
  });

  it('says so without a number where the system has none', () => {
    files.error = 'EMFILE';
    files.limits = () => {
      throw new Error('ENOENT');
    };
    expect(watch.check().news).to.include({ limit: undefined });
  });

  it('holds one descriptor of the real system, and none once it is closed', () => {
    const before = fdCount(process.pid);
    const real = new DescriptorWatch();
    real.check();
    real.check();
    expect(fdCount(process.pid)).to.equal(before + 1);
    real.close();
    real.close();
    expect(fdCount(process.pid)).to.equal(before);
  });
});
