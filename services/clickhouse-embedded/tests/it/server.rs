//! Starts the server and sends requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clickhouse::Client;

/// A running server; it ends with this value or with the test process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _data: Option<tempfile::TempDir>,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The error code, which must be the same in header and text.
    pub(crate) fn code(&self) -> Option<u32> {
        let code = self.header("X-ClickHouse-Exception-Code")?.parse().ok()?;
        assert!(self.text().starts_with(&format!("Code: {code}. DB::Exception: ")), "{}", self.text());
        Some(code)
    }
}

pub(crate) fn library() -> PathBuf {
    let path = std::env::var_os("WEIGHBRIDGE_CHDB_LIB").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.stack/chdb/libchdb.so"),
        PathBuf::from,
    );
    assert!(path.exists(), "no engine at {}: install it, or set WEIGHBRIDGE_CHDB_LIB", path.display());
    path
}

impl Server {
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut child = command(data, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("said {line:?}"))
            .parse()
            .unwrap();
        Self { address, child, _data: None }
    }

    pub(crate) fn fresh(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut server = Self::start(data.path(), arguments);
        server._data = Some(data);
        server
    }

    /// The server shared by all tests that do not disturb each other.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::fresh(&[]))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::default().with_url(self.url())
    }

    /// Runs curl with `arguments` on `/` and the URL parameters `query`.
    pub(crate) fn curl(&self, query: &str, arguments: &[&str], body: Option<&[u8]>) -> Reply {
        let url = format!("{}/{}{}", self.url(), if query.starts_with("ping") { "" } else { "?" }, query);
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--max-time", "30", "-H", "Expect:"]).args(arguments);
        if body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        let mut child = command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let body = body.unwrap_or_default().to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&body);
        });
        let mut all = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
        child.wait().unwrap();
        writer.join().unwrap();
        let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("no HTTP answer");
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body: all[end + 4..].to_vec() }
    }

    /// POSTs a statement.
    pub(crate) fn sql(&self, sql: &str) -> Reply {
        self.curl("", &[], Some(sql.as_bytes()))
    }

    /// POSTs a statement that must succeed; returns its answer without the last line end.
    pub(crate) fn ok(&self, sql: &str) -> String {
        let reply = self.sql(sql);
        assert_eq!(reply.status, 200, "{sql}: {}", reply.text());
        reply.text().trim_end().to_owned()
    }

    /// A connection for requests that no HTTP client would send.
    pub(crate) fn raw(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it by closing its standard input; returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clickhouse-embedded"));
    command.arg("--lib").arg(library()).arg("--data-dir").arg(data).arg("--exit-with-stdin").args(arguments);
    command.stdin(Stdio::piped());
    command
}

/// Waits until `condition` is true.
pub(crate) fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
