import { startRelay } from '../support/relay.js';
import { ldapThrough } from './paths/ldap.js';

ldapThrough('through hub and agent', startRelay);
