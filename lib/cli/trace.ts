// ossp trace: runs a command as ossp run does, and tells what it does with the devices.

import { usage } from "./failure.ts";
import { helpText, parseOptions, type Subcommand } from "./options.ts";
import { RUN } from "./run.ts";

/** What these are called among the options of ossp run, which does the work. */
const OF_RUN: Readonly<Record<string, string>> = { "-o": "--trace", "--data": "--trace-data" };

export const TRACE: Subcommand = {
  name: "trace",
  operands: "-- COMMAND ARG...",
  about:
    "Run COMMAND with OSS devices and list its calls: each call on a device with its result and " +
    "how long it took; or write them down as a test for ossp script.",
  options: [
    {
      name: "o",
      value: "FILE",
      about: "writes a script that does the same; what was written is in FILE.data [a list on " +
        "standard error]",
    },
    {
      name: "data",
      value: "WHAT",
      choices: ["file", "none"],
      default: "file",
      about: "whether what was written is kept; without it the script writes silence",
    },
    ...RUN.options.filter(({ name }) => !Object.values(OF_RUN).includes(`--${name}`)),
  ],
  notes: "The other options are those of ossp run.",
  run: trace,
};

function trace(args: string[]): Promise<number> | number {
  const { values, operands } = parseOptions(TRACE, args);
  if (values.help) {
    console.log(helpText(TRACE));
    return 0;
  }
  if (operands.length === 0) throw usage("trace", "a COMMAND is wanted");
  const words = args.slice(0, args.length - operands.length).map((word) => {
    const [name, value] = word.split(/(?<=^--data)=|(?<=^-o)(?=.)/s);
    const renamed = OF_RUN[name];
    if (renamed === undefined) return word;
    return value === undefined ? renamed : `${renamed}=${value}`;
  });
  return RUN.run([...(values.o === undefined ? ["--trace", "-"] : []), ...words, ...operands]);
}
