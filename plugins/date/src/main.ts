import { runPlugin } from '@mmm/plugin-sdk';
import { datePlugin } from './date.ts';

runPlugin(datePlugin(() => Date.now()));
