import { startRelay } from '../support/relay.js';
import { httpThrough } from './paths/http.js';

httpThrough('through hub and agent', startRelay);
