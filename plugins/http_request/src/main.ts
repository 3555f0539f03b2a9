import { runPlugin } from '@mmm/plugin-sdk';
import { httpRequestPlugin } from './http-request.ts';

runPlugin(httpRequestPlugin({ now: () => Date.now(), monotonic: () => performance.now() }));
