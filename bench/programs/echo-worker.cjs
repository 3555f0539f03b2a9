// As echo-lines.cjs, as a worker of workerpool.
require('workerpool').worker({ echo: (input) => input });
