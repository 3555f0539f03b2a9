import { memoryTransportPair } from '@mmm/rpc';
import { testTransport } from './transport-contract.ts';

testTransport('memory', async () => memoryTransportPair());
