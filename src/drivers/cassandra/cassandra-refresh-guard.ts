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
 * The driver looks for another host when it loses the one that tells it of the cluster. When two such searches meet
 * (hosts that come and go), one takes the connection of the other away, and the other rejects in a timer where nobody
 * listens: that would end the process. Here it is logged, and tried again unless a search has succeeded meanwhile.
 */
export function guardRefresh(client: Client, logger: Logger): void {
  const { controlConnection } = client as unknown as { controlConnection?: ControlConnection };
  if (typeof controlConnection?._refresh !== 'function') return;
  const refresh = controlConnection._refresh.bind(controlConnection);
  controlConnection._refresh = async (hosts) => {
    try {
      await refresh(hosts);
    } catch (error) {
      logger.debug('The Cassandra driver failed in looking for a host, and tries again', { error });
      const again = () => {
        if (!controlConnection._isShuttingDown && !controlConnection.connection) void controlConnection._refresh();
      };
      setTimeout(again, AGAIN_MS).unref();
    }
  };
}
