import { describe, expect, it } from '@jest/globals';
import { Client } from 'cassandra-driver';
import { guardRefresh } from '../../../../src/drivers/cassandra/cassandra-refresh-guard.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

/** What the driver does in `_refresh`, each part of which a server can make fail. */
interface Internals {
  connection: { endpointFriendlyName: string; endpoint: string } | null;
  _isShuttingDown: boolean;
  _refresh(hosts?: unknown): Promise<void>;
  _refreshControlConnection(): Promise<void>;
  _refreshHosts(): Promise<void>;
}

function aControlConnection(): Internals {
  const client = new Client({ contactPoints: ['127.0.0.1'], localDataCenter: 'x' });
  guardRefresh(client, new RecordingLogger());
  return (client as unknown as { controlConnection: Internals }).controlConnection;
}

describe('the search of the Cassandra driver for another host', () => {
  it('does not end the process when another search takes its connection away, and is tried again', async () => {
    const control = aControlConnection();
    let searches = 0;
    const found = new Promise<void>((resolve) => {
      control._refreshControlConnection = async () => {
        searches++;
        control.connection = { endpointFriendlyName: 'it', endpoint: 'it' };
        if (searches > 1) {
          control._isShuttingDown = true; // the rest of this one does not matter
          resolve();
        }
      };
    });
    control._refreshHosts = async () => {
      control.connection = null; // as the other search does
      throw new Error('the host went away');
    };
    await control._refresh();
    await found;
    expect(searches).toBe(2);
  });

  it('is made once, however many reasons for it come at a time', async () => {
    const control = aControlConnection();
    let searches = 0;
    control._refreshControlConnection = async () => {
      searches++;
      await new Promise((resolve) => setImmediate(resolve));
      control._isShuttingDown = true;
      throw new Error('no host');
    };
    await Promise.all([control._refresh(), control._refresh(), control._refresh()]);
    expect(searches).toBe(1);
  });
});
