import { readVariable, type Environment } from '../config/environment.js';

/** The configuration file that was named: on the command line, else by NC_CONFIG. */
export function configFileOf(named: string | undefined, env: Environment): string | undefined {
  return named ?? readVariable(env, 'NC_CONFIG');
}
