import { runPlugin } from '@mmm/plugin-sdk';
import { gitPlugin } from './git.ts';
import { gitProgram } from './program.ts';

runPlugin(gitPlugin(gitProgram(process.env)));
