import { runPlugin } from '@mmm/plugin-sdk';
import { calculator } from './calculator.ts';

runPlugin(calculator);
