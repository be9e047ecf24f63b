import { startRelay } from '../support/relay.js';
import { postgresThrough } from './paths/postgres.js';

postgresThrough('through hub and agent', startRelay);
