//! What can be typed. The flags of `run` are not here: they come from the
//! tools' parameters, see [`crate::parameters`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use reversecore_server::config::ClientName;

const EXAMPLES: &str = "\
Examples:
  reversecore serve --workspace ~/samples                    for a client that starts the server itself
  reversecore serve --http 127.0.0.1:8700 --workspace .      for clients that connect
  reversecore run run_strings /bin/ls --min-length 8         one tool on one file, as text
  reversecore run run_file firmware.bin --json               the same envelope that MCP clients get
  reversecore scan /mnt/disk --out results.html              every file there, with a page to look at
  reversecore tools                                          what can be run
  reversecore doctor                                         what this machine lacks

Exit codes (scan has its own, see its help):
  0  success
  1  the tool answered with an error, the server could not serve, or (doctor)
     a protection is required and lacking
  2  wrong usage";

const SCAN_EXAMPLES: &str = "\
Examples:
  reversecore scan suspect.exe                              one file, the summary on the screen
  reversecore scan /mnt/disk --out results.jsonl            a row a file, with each tool's answer
  reversecore scan /mnt/disk --out results.jsonl --resume   go on where it was stopped or killed
  reversecore scan firmware/ --recurse --out report.html    into archives; a page for people
  reversecore scan . --tool get_file_info --tool run_yara='{\"rule_file\":\"/opt/r.yar\"}'
  reversecore scan . --rules rules.yar --out results.sarif  findings for a code scanning service
  reversecore scan . --out r.jsonl && jq -r 'select(.severity==\"high\").path' r.jsonl

What is not examined: links, sockets, devices, /proc and the like, and what is
larger than --max-size. Files with equal content are examined once, and each has
its row. A file that breaks an engine twice is set aside as `poison`.

Ctrl-C stops cleanly; nothing that was done is lost, even after kill -9: the
journal is in the data directory (--data-dir, REVERSECORE_DATA_DIR, or
~/.local/share/reversecore), which one scan at a time may use.

Exit codes:
  0    nothing suspicious
  1    something was found
  2    wrong usage
  3    some files could not be examined (the table says which, and why)
  4    the scan could not go on: a full disk, a data directory that is in use
  130  stopped by Ctrl-C";

const CLIENT_EXAMPLES: &str = "\
Examples:
  reversecore mcp-config claude-desktop --workspace ~/samples
  reversecore mcp-config vscode --url http://127.0.0.1:8700/mcp > .vscode/mcp.json
  sh -c \"$(reversecore mcp-config claude-code --workspace ~/samples)\"";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  reversecore completions bash > ~/.local/share/bash-completion/completions/reversecore
  reversecore completions zsh > ~/.zfunc/_reversecore
  reversecore completions fish > ~/.config/fish/completions/reversecore.fish";

const SERVE_EXAMPLES: &str = "\
Examples:
  reversecore serve                                     stdio, files of the current directory
  reversecore serve --workspace ~/samples --read-dir /opt/firmware
  reversecore serve --http 8700                         http://127.0.0.1:8700/mcp
  MCP_API_KEY=… reversecore serve --http 0.0.0.0:8700   reachable from other machines, with a key

Over HTTP there are also /health/live, /health/ready, /metrics, /jobs, /upload
and /files. How to serve a team: docs/hosting.md.
Ctrl-C (or SIGTERM) lets running calls finish; a second one cancels them.

Settings are taken from the defaults, the file, the environment and the flags;
the later ones go first. Variables: MCP_TRANSPORT, REVERSECORE_CONFIG,
REVERSECORE_WORKSPACE, REVERSECORE_READ_DIRS (a:b), LOG_LEVEL, LOG_FORMAT,
MCP_API_KEY, RATE_LIMIT, DEFAULT_TOOL_TIMEOUT.";

const RUN_EXAMPLES: &str = "\
Examples:
  reversecore run run_strings /bin/ls --pattern 'https?://' --min-length 6
  reversecore run run_yara sample.exe --rule-file rules.yar
  reversecore run run_radare2 /bin/ls --r2-command 'aa;afl'
  reversecore run run_strings --help            the parameters of one tool
  reversecore run list_workspace --workspace .  a tool that takes no file

The answer goes to the standard output, logs and errors to the standard error.";

const LOAD_EXAMPLES: &str = "\
Examples:
  reversecore bench load --tool get_tool_metrics --concurrency 100
  reversecore bench load --tool run_strings --args '{\"file_path\":\"{file}\"}' --file a.bin --file b.bin --pid 4711
  reversecore bench load --tool run_strings --args '{\"file_path\":\"a.bin\"}' --rate 500 --concurrency 200
  mkfifo to from; any-server <to >from & reversecore bench load --pipes to from --session --pid $! --tool echo

Latency is in milliseconds, from the moment at which a call was due: with --rate
a server that stalls is charged for all calls that it made wait. `histogram` has
how many calls took at most so many milliseconds, and more than the entry before.";

/// Reverse-engineering tools for AI agents and analysts: an MCP server and a
/// command line. Files are analysed in confined processes, and never executed.
#[derive(Debug, Parser)]
#[command(name = "reversecore", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve MCP: over stdio, or over HTTP with --http
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeOptions),
    /// Run one tool on one file
    #[command(after_help = RUN_EXAMPLES, override_usage = "reversecore run TOOL [FILE] [--PARAM VALUE]... [--json]", arg_required_else_help = true, disable_help_subcommand = true)]
    Run {
        #[command(subcommand)]
        tool: RunTool,
    },
    /// Examine many files: watchable, resumable, with a report
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(ScanOptions),
    /// List the tools with their parameters
    Tools {
        /// Print JSON: name, description, parameter schema
        #[arg(long)]
        json: bool,
    },
    /// Show which external programs and protections this machine has
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: CommonOptions,
    },
    /// Show the jobs of a running HTTP server, or cancel one
    Jobs(JobsOptions),
    /// Ask a running HTTP server whether it can be given work: exit code 0 when it can
    Health(HealthOptions),
    /// Make a key for a client of an HTTP server, and the line for its configuration
    Key {
        /// What the client is called in logs and lists
        name: ClientName,
    },
    /// Measure a server
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Print the commented default configuration
    Defaults,
    /// Print what a client needs to know to use this server
    #[command(after_help = CLIENT_EXAMPLES)]
    McpConfig(ClientOptions),
    /// Print the script that completes commands in a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Where to write them, instead of printing the first
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// Which files, what is asked of them, and where the answers go.
#[derive(Debug, Args)]
pub(crate) struct ScanOptions {
    /// Files and directories
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Ask this tool; can be repeated. Arguments as JSON behind `=` [default: triage]
    #[arg(long = "tool", value_name = "NAME[=JSON]")]
    pub(crate) tools: Vec<String>,
    /// Match these YARA rules too: a file, or a directory of such files
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) rules: Option<PathBuf>,
    /// Files at one time [default: two more than there are processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Write a row a file to FILE: .jsonl, .csv, .sarif or .html
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the last scan of the same paths and tools, if there is one
    #[arg(long, conflicts_with = "no_journal")]
    pub(crate) resume: bool,
    /// Keep no journal: a scan that is stopped begins anew
    #[arg(long)]
    pub(crate) no_journal: bool,
    /// Open archives, and what is in them, within bounds
    #[arg(long)]
    pub(crate) recurse: bool,
    /// How deep directories are walked; 1 for the files in a directory itself
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Pass over files that are larger, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub(crate) max_size: u64,
    /// Where the journal is
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Show no progress and no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// A configuration file (`reversecore defaults` prints one to start from)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// What to log: error, warn, info, debug or trace [default: error]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

/// Which client, and what it is to reach.
#[derive(Debug, Args)]
pub(crate) struct ClientOptions {
    /// The client
    pub(crate) client: Client,
    /// The directory whose files it may have analysed
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) workspace: PathBuf,
    /// A server that runs already, instead of one that the client starts
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// A client of MCP.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Client {
    /// The command to type
    ClaudeCode,
    /// `claude_desktop_config.json`
    ClaudeDesktop,
    /// `.cursor/mcp.json`
    Cursor,
    /// `.vscode/mcp.json`
    Vscode,
    /// `~/.codex/config.toml`
    Codex,
}

/// Which server, and how long to wait.
#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8700")]
    pub(crate) url: String,
    /// Ask again until it can, or the time is over
    #[arg(long)]
    pub(crate) wait: bool,
    /// Seconds that this may take
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub(crate) seconds: u16,
}

/// Which server, and what of it.
#[derive(Debug, Args)]
pub(crate) struct JobsOptions {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8700")]
    pub(crate) url: String,
    /// Its key; better given in the variable, where no list of processes shows it
    #[arg(long, env = "MCP_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Cancel this job
    #[arg(long, value_name = "ID")]
    pub(crate) cancel: Option<u64>,
    /// Most jobs that run, that wait and that have ended
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Call one tool of any MCP server, many times at once; prints JSON
    #[command(after_help = LOAD_EXAMPLES)]
    Load(LoadOptions),
}

/// What to ask, how often, and of whom.
#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    /// The server's MCP endpoint
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8700/mcp")]
    pub(crate) url: String,
    /// Or the named pipes that are its standard input and output
    #[arg(long, num_args = 2, value_names = ["TO", "FROM"], conflicts_with = "url")]
    pub(crate) pipes: Vec<PathBuf>,
    /// Its key
    #[arg(long, env = "MCP_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// The tool
    #[arg(long)]
    pub(crate) tool: String,
    /// Its arguments: JSON, in which {file} and {i} are put in
    #[arg(long, default_value = "{}", value_name = "JSON")]
    pub(crate) args: String,
    /// What {file} stands for, in turns; can be repeated
    #[arg(long = "file", value_name = "NAME")]
    pub(crate) files: Vec<String>,
    /// Calls in flight; over HTTP, each on a connection of its own
    #[arg(long, default_value_t = 10)]
    pub(crate) concurrency: usize,
    /// Send so many calls a second whatever comes back, instead of each
    /// connection's next when it has its answer
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,
    /// For so many seconds
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub(crate) duration: f64,
    /// At most so many calls
    #[arg(long, value_name = "N")]
    pub(crate) calls: Option<u64>,
    /// How long a call may take before it is given up, as failed
    #[arg(long, default_value_t = 600.0, value_name = "SECONDS")]
    pub(crate) timeout: f64,
    /// Open a session first, as before protocol version 2026-07-28
    #[arg(long)]
    pub(crate) session: bool,
    /// The server's process, to measure its CPU time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
}

/// What stands after `run`: a tool's name, and whatever that tool takes.
#[derive(Debug, Subcommand)]
pub(crate) enum RunTool {
    #[command(external_subcommand)]
    Named(Vec<OsString>),
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Serve HTTP here instead of stdio: an address, or a port of 127.0.0.1
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<String>,
    /// A further directory whose files may be read; can be repeated
    #[arg(long = "read-dir", value_name = "DIR")]
    pub(crate) read_dirs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: CommonOptions,
}

/// Settings that several commands take.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CommonOptions {
    /// The directory whose files may be read [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// A configuration file (`reversecore defaults` prints one to start from)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_tool_belongs_to_the_tool() {
        let cli = Cli::try_parse_from(["reversecore", "run", "run_file", "-x", "--json", "--help"])
            .unwrap();
        let Command::Run {
            tool: RunTool::Named(words),
        } = cli.command
        else {
            panic!("{cli:?}");
        };
        assert_eq!(words, ["run_file", "-x", "--json", "--help"]);
    }
}
