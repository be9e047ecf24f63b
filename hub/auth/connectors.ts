import type { Identity } from './claims.js';

/**
 * Which of the connectors that an agent offers its token lets it serve. What the hub's listeners say about the agent
 * (`listeners[].agents`) is another rule, applied after this one.
 *
 * @param requireScopes `security.require_connector_scopes`: off, the claim is not consulted; on, only what it lists is
 *   served, and a token without the claim serves nothing
 * @param offered the connectors of HELLO
 * @returns a subset of `offered`, in its order, each once
 */
export function allowedConnectors(
  identity: Pick<Identity, 'connectors'>,
  requireScopes: boolean,
  offered: readonly string[],
): string[] {
  const distinct = [...new Set(offered)];
  if (!requireScopes) return distinct;
  const granted = new Set(identity.connectors);
  return distinct.filter((connector) => granted.has(connector));
}
