#!/usr/bin/env node
require('../dist/mmm.cjs');
