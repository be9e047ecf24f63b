import { expect } from 'chai';
import { DescriptorWatch, type DescriptorFiles } from '../../../hub/descriptor-watch.js';
import { fdCount } from '../../support/fds.js';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             unlimited            unlimited            processes
Max open files            40                   4096                 files
`;

class Files implements DescriptorFiles {
  /** What an open fails with, of whatever is left. */
  error: string | undefined;
  /** Descriptors that are left. */
  free = 10;
  reserved = 0;

  probe(): void {
    const error = this.error ?? (this.free === 0 ? 'EMFILE' : undefined);
    if (error !== undefined) throw Object.assign(new Error(error), { code: error });
  }
  reserve(): () => void {
    this.probe();
    this.reserved += 1;
    this.free -= 1;
    return () => {
      this.reserved -= 1;
      this.free += 1;
    };
  }
  limits(): string {
    // Reading takes a descriptor too.
    this.probe();
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
    files.free = 0;
    const first = watch.check();
    expect(first.spent).to.equal(true);
    expect(first.news).to.include({ limit: 40 });
    expect(first.news?.why).to.include('EMFILE');
    expect(first.news?.hint).to.include('LimitNOFILE');
    for (let count = 0; count < 5; count += 1) {
      expect(watch.check()).to.deep.equal({ spent: true, news: undefined });
    }
    expect(files.reserved, 'for the next spell').to.equal(1);
    files.free = 10;
    expect(watch.check().spent).to.equal(false);
    files.free = 0;
    expect(watch.check().news).to.include({ limit: 40 });
  });

  it('goes without a number when somebody else took the descriptor that was held back', () => {
    watch.check();
    files.free = 0;
    files.limits = () => {
      files.free = 0;
      throw new Error('EMFILE');
    };
    expect(watch.check().news).to.include({ limit: undefined });
    expect(watch.check()).to.deep.equal({ spent: true, news: undefined });
    files.free = 10;
    expect(watch.check().spent).to.equal(false);
    expect(files.reserved).to.equal(1);
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
