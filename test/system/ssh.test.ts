import { startRelay } from '../support/relay.js';
import { sshThrough } from './paths/ssh.js';

sshThrough('through hub and agent', startRelay);
