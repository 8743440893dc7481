import type { Client } from 'cassandra-driver';
import type { Logger } from '../../ports/logger.js';

/** A part of the driver that its types leave out. */
interface ControlConnection {
  connection: unknown;
  _isShuttingDown: boolean;
  _refresh(hosts?: unknown): Promise<void>;
}

const AGAIN_MS = 500;

/**
 * The driver looks for another host when it loses the one that tells it of the cluster. It begins as many searches at a
 * time as there are reasons for one; each that succeeds listens to the host, and so begins one more the next time. Two
 * that meet take the connection of each other away, and one of them rejects in a timer where nobody listens, which would
 * end the process. With the guard there is one search at a time, and one that fails so is tried again.
 */
export function guardRefresh(client: Client, logger: Logger): void {
  const { controlConnection } = client as unknown as { controlConnection?: ControlConnection };
  if (typeof controlConnection?._refresh !== 'function') return;
  const refresh = controlConnection._refresh.bind(controlConnection);
  let isSearching = false;
  controlConnection._refresh = async (hosts) => {
    if (hosts !== undefined) return refresh(hosts); // the next host of a search
    if (isSearching) return;
    isSearching = true;
    try {
      await refresh();
    } catch (error) {
      logger.debug('The Cassandra driver failed in looking for a host, and tries again', { error });
      const again = () => {
        if (!controlConnection._isShuttingDown && !controlConnection.connection) void controlConnection._refresh();
      };
      setTimeout(again, AGAIN_MS).unref();
    } finally {
      isSearching = false;
    }
  };
}
