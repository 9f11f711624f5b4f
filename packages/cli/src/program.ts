// The `ringzero` command line as a whole: commands, help, and the exit status.
// What must stay true: `program` only sets process.exitCode after everything is put away; nothing else here ends the process.

import { restWhenIdle } from "@ringzero/core";
import yargs from "yargs";
import { runBackendsCommand } from "./backends-command.js";
import { Diagnostics } from "./diagnostics.js";
import { runDoctorCommand } from "./doctor/doctor-command.js";
import { EXIT_CODE_TEXT, EXIT_CODES } from "./exit-codes.js";
import { addRunOptions, type RawRunOptions, RUN_EXAMPLES } from "./grammar/run-options.js";
import { addStepOptions, type RawStepOptions } from "./grammar/step-options.js";
import { type CliHost, processHost } from "./host.js";
import { runRunCommand } from "./run-command.js";
import { runStepCommand } from "./step-command.js";
import { cliVersion } from "./version.js";

const CONSOLE_TEXT = [
  "Console keys (a terminal on stdin, --console stdio):",
  "  Ctrl-A X       stop the machine and leave",
  "  Ctrl-A M       move the running machine to the next engine",
  "  Ctrl-A C       clear the screen",
  "  Ctrl-A Ctrl-A  send Ctrl-A to the guest",
  "  Ctrl-A H       help",
  "End of input on stdin does not stop the machine.",
].join("\n");

const EXIT_TEXT = ["Exit status:", ...EXIT_CODE_TEXT.map(([code, meaning]) => `  ${code.padEnd(5)}${meaning}`)].join("\n");

/** Run one command line in this process; sets `process.exitCode`. */
export async function program(args: readonly string[]): Promise<void> {
  restWhenIdle();
  // Whoever reads our help, list or last words may go away: no reason for a stack trace. A run watches stdout itself.
  let readerGone = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    readerGone ||= error.code === "EPIPE";
  });
  process.stderr.on("error", () => {});
  const status = await runProgram(args, processHost());
  process.exitCode = readerGone && status === EXIT_CODES.poweredOff ? EXIT_CODES.brokenPipe : status;
}

/**
 * Run one command line.
 * @param args  without the interpreter and the script
 * @returns the exit status
 */
export async function runProgram(args: readonly string[], host: CliHost): Promise<number> {
  const diagnostics = new Diagnostics(host.stderr, args.includes("--json"));
  let status: number = EXIT_CODES.notStarted;
  let handled = false;
  const helpAsked = args.some((word) => /^(-[^-]*h|--h)/.test(word));
  const parser = yargs([])
    .scriptName("ringzero")
    .usage("$0 <command>\n\nRuns whole x86 machines, by binary translation where there is no virtualization.")
    .command(
      "run",
      "Run a machine until it ends",
      (command) =>
        addRunOptions(command.usage("$0 run [options]\n\nRun a machine until it ends."), helpAsked).epilogue(
          helpAsked ? `${CONSOLE_TEXT}\n\n${EXIT_TEXT}\n\nReference: docs/cli.md` : "",
        ),
      async (argv) => {
        handled = true;
        status = await runRunCommand(argv as RawRunOptions, host, diagnostics);
      },
    )
    .command(
      "step",
      "Run a machine in lockstep with itself or with KVM, to find where the translator goes wrong",
      (command) =>
        addStepOptions(
          command.usage(
            "$0 step [options]\n\nRun a machine twice in lockstep, as it ships and without optimisations or on KVM, until a register differs.",
          ),
        ).epilogue(
          "Exit status: 0 no difference, 1 a difference, 2 nothing was started, 125 no KVM to compare with, 126 the engine failed.\n\nReference: docs/cli.md",
        ),
      async (argv) => {
        handled = true;
        status = await runStepCommand(argv as RawStepOptions, host, diagnostics);
      },
    )
    .command(
      "backends",
      "List the engines, and whether each works on this host",
      (command) =>
        command
          .usage("$0 backends [options]\n\nList the engines, and whether each works on this host.")
          .option("json", { type: "boolean", describe: "As JSON, on stdout" })
          .epilogue("Exit status: 0 when at least one backend works here, else 125."),
      async (argv) => {
        handled = true;
        status = await runBackendsCommand({ json: argv.json === true }, host, diagnostics);
      },
    )
    .command(
      "doctor",
      "Say what is missing on this host, and how to mend it",
      (command) =>
        command
          .usage("$0 doctor [options]\n\nSay what is missing on this host, and how to mend it.")
          .option("json", { type: "boolean", describe: "As JSON, on stdout" })
          .epilogue("Exit status: 0 when machines can run here, by at least one backend, else 125."),
      async (argv) => {
        handled = true;
        status = await runDoctorCommand({ json: argv.json === true }, host);
      },
    )
    .demandCommand(
      1,
      1,
      "say what to do: ringzero run, ringzero step, ringzero backends, or ringzero doctor",
      "one command at a time",
    )
    .strict()
    .help()
    .alias("help", "h")
    .version(cliVersion())
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
    })
    .wrap(helpAsked ? Math.min(120, host.stdout.columns ?? 120) : null)
    .exitProcess(false)
    .showHelpOnFail(false)
    .locale("en");
  for (const [command, about] of [RUN_EXAMPLES[0]!, ["ringzero backends --json", "what this host can do"] as const])
    parser.example(command, about);

  try {
    await parser.parseAsync([...args], {}, (error, _argv, output) => {
      // With a callback yargs prints nothing by itself: help and version come as `output` without an error.
      if (error) throw error;
      if (output !== "") {
        handled = true;
        status = EXIT_CODES.poweredOff;
        host.stdout.write(`${output}\n`);
      }
    });
    return status;
  } catch (error) {
    if (handled) {
      diagnostics.failure(error);
      return EXIT_CODES.runFailed;
    }
    const message = error instanceof Error ? error.message : String(error);
    diagnostics.problems([{ where: "", code: "bad-usage", message: `${message}; see ringzero --help` }]);
    return EXIT_CODES.notStarted;
  }
}
