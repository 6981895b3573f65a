//! A place of its own for one stack: a folder, free ports, and an environment that leads there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::running::{Ended, Running, signal_to};
use super::{PAUSE, root, until};

/// Asks the kernel to end a process with its parent, then becomes it.
const SETPRIV: &str = "/usr/bin/setpriv";
/// How long processes may take to be gone once their parent is.
const GONE_LIMIT: Duration = Duration::from_secs(20);
/// Lines of each log that a failure shows.
const TAIL_LINES: usize = 40;

/// Where one stack lives. Dropped, it ends whatever is left of it; in a failing test it shows its logs.
pub(crate) struct Place {
    folder: TempDir,
    program: PathBuf,
    pub(crate) kafka_port: u16,
    controller_port: u16,
    pub(crate) clickhouse_port: u16,
    pub(crate) ingest_port: u16,
    pub(crate) api_port: u16,
    extra: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("weighbridge-e2e-").unwrap();
        let [kafka_port, controller_port, clickhouse_port, ingest_port, api_port] =
            wb_stack::free_ports().unwrap();
        // A link of its own: a build that replaces the program while a test runs changes nothing here.
        let program = folder.path().join("weighbridge");
        let built = Path::new(env!("CARGO_BIN_EXE_weighbridge"));
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).unwrap();
        }
        Self {
            folder,
            program,
            kafka_port,
            controller_port,
            clickhouse_port,
            ingest_port,
            api_port,
            extra: Vec::new(),
        }
    }

    /// Another place whose processes use the backends of this one, with the same frame key.
    pub(crate) fn beside(other: &Self) -> Self {
        let mut place = Self::new();
        let keys = place.data_dir().join("keys");
        fs::create_dir_all(&keys).unwrap();
        fs::copy(other.data_dir().join("keys/frame.key"), keys.join("frame.key")).unwrap();
        let set = |name: &str, value: String| (format!("WEIGHBRIDGE_{name}"), value);
        place.extra = vec![
            set("KAFKA_BROKERS", other.brokers()),
            set("CLICKHOUSE_URL", format!("http://127.0.0.1:{}", other.clickhouse_port)),
            set("CLICKHOUSE_USER", "weighbridge".to_owned()),
            set("CLICKHOUSE_PASSWORD", other.clickhouse_password()),
        ];
        place
    }

    /// Sets a variable `WEIGHBRIDGE_<name>` for what is started here from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.extra.push((format!("WEIGHBRIDGE_{name}"), value.to_owned()));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.kafka_port)
    }

    pub(crate) fn events_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1/events", self.ingest_port)
    }

    pub(crate) fn graphql_url(&self) -> String {
        format!("http://127.0.0.1:{}/graphql", self.api_port)
    }

    /// The password of the engine that runs here.
    pub(crate) fn clickhouse_password(&self) -> String {
        wb_proof::hex::encode(&fs::read(self.data_dir().join("keys/clickhouse.key")).unwrap())
    }

    /// The program with an environment that leads here, and nothing of the caller's own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let root = root();
        // Should the tests themselves be killed, nothing of theirs runs on.
        let mut command = if Path::new(SETPRIV).exists() {
            let mut command = Command::new(SETPRIV);
            command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.args(arguments).current_dir(&root);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WEIGHBRIDGE_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("DEMO_EXIT")
            .env("WEIGHBRIDGE_DATA_DIR", self.data_dir())
            .env("WEIGHBRIDGE_KAFKA_PORT", self.kafka_port.to_string())
            .env("WEIGHBRIDGE_KAFKA_CONTROLLER_PORT", self.controller_port.to_string())
            .env("WEIGHBRIDGE_CLICKHOUSE_PORT", self.clickhouse_port.to_string())
            .env("WEIGHBRIDGE_INGEST_LISTEN", format!("127.0.0.1:{}", self.ingest_port))
            .env("WEIGHBRIDGE_API_LISTEN", format!("127.0.0.1:{}", self.api_port))
            .env("WEIGHBRIDGE_KAFKA_LIBS", root.join(".stack/kafka/libs"))
            .env("WEIGHBRIDGE_CHDB_LIB", root.join(".stack/chdb/libchdb.so"))
            .env("WEIGHBRIDGE_FONTS_DIR", root.join(".stack/fonts"))
            .envs(self.extra.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the program; `name` is that of its log files.
    pub(crate) fn start(&self, name: &str, arguments: &[&str]) -> Running {
        Running::start(name, self.command(arguments), self.folder())
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, name: &str, arguments: &[&str], limit: Duration) -> Ended {
        self.start(name, arguments).end(limit)
    }

    /// All processes of this place, whoever started them: each has inherited this data folder.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = format!("WEIGHBRIDGE_DATA_DIR={}", self.data_dir().display());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let ours = |pid: &u32| {
            // A process that has ended but was not collected has no environment any more.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        pids.filter(|pid| *pid != std::process::id()).filter(ours).collect()
    }

    /// Waits until nothing runs here any more.
    pub(crate) fn assert_nothing_runs(&self, limit: Duration) {
        until("nothing of the stack is left", limit, || {
            let left = self.processes();
            if left.is_empty() { Ok(()) } else { Err(describe(&left)) }
        });
    }

    /// The pid of a backend, from its pid file.
    pub(crate) fn backend_pid(&self, pid_file: &str) -> u32 {
        until(pid_file, GONE_LIMIT, || {
            let noted =
                fs::read_to_string(self.data_dir().join(pid_file)).map_err(|error| error.to_string())?;
            let pid = noted.split_whitespace().next().and_then(|word| word.parse().ok());
            pid.ok_or_else(|| format!("it holds {noted:?}"))
        })
    }

    fn show_logs(&self) {
        let mut logs: Vec<PathBuf> =
            fs::read_dir(self.folder()).unwrap().flatten().map(|entry| entry.path()).collect();
        logs.sort();
        logs.extend([self.data_dir().join("kafka/kafka.log"), self.data_dir().join("clickhouse/engine.log")]);
        for log in logs.iter().filter(|path| {
            path.extension().is_some_and(|kind| kind == "err" || kind == "out" || kind == "log")
        }) {
            let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!("--- the end of {}\n{}", log.display(), tail.join("\n"));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        // A process that outlives its parent may end by itself for a while, and is then ended.
        let deadline = std::time::Instant::now() + GONE_LIMIT;
        while !self.processes().is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        for pid in self.processes() {
            eprintln!("ending process {pid}, left of {}", self.folder().display());
            signal_to(pid, rustix::process::Signal::KILL);
        }
    }
}

fn describe(pids: &[u32]) -> String {
    let commands = pids.iter().map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        format!("{pid}: {}", line.chars().take(200).collect::<String>())
    });
    commands.collect::<Vec<_>>().join("\n")
}
