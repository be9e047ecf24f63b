/** Whether a program is there, without failing when it is not. */
import { requireProgram } from '../../test/support/processes.js';

/** What to install when the program is missing, else undefined. */
export function missingProgram(name: string, debianPackage: string): string | undefined {
  try {
    requireProgram(name, debianPackage);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
