//! A private RabbitMQ: a node with its own name, ports and folder, on loopback, which is removed
//! when the value is dropped.
//!
//! It has its own `epmd`, so that no other is used or left behind.
//!
//! `STUNT_DOUBLE_RABBITMQ_ROOT` names a folder with the files of a whole system in which another
//! version of RabbitMQ is installed, such as the unpacked packages of a newer Debian. The node then
//! runs in there, by `chroot`, which requires root.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use stunt_double::rabbitmq::{BrokerOptions, DeprecatedFeature, Version};

/// Number of attempts to connect before the node counts as not starting.
const TRIES: u32 = 600;

/// Time between two attempts.
const BETWEEN: Duration = Duration::from_millis(100);

/// The environment variable that names the root of the system in which RabbitMQ is installed.
const ROOT: &str = "STUNT_DOUBLE_RABBITMQ_ROOT";

/// The versions that can be compared: how their numbers begin.
const KNOWN: [(&str, Version); 3] =
    [("3.10.", Version::V3_10), ("4.0.", Version::V4_0), ("4.3.", Version::V4_3)];

/// Where Debian has the scripts themselves. Those on the `PATH` require a user of their own.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Node {
    beam: Child,
    epmd: Child,
    setting: Setting,
    version: Version,
}

/// The environment of a node and of its commands.
struct Setting {
    /// The system in which it runs, if that is not the machine's own.
    root: Option<PathBuf>,
    /// As the machine sees it.
    folder: PathBuf,
    name: String,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
}

impl Node {
    /// Starts a node. Prints the reason and returns `None` if there is no RabbitMQ that is
    /// modelled.
    pub(crate) fn start() -> Option<Node> {
        match Node::try_start() {
            Ok(node) => Some(node),
            Err(why) => {
                println!("SKIPPED: {why}");
                None
            }
        }
    }

    fn try_start() -> Result<Node, String> {
        crate::wanted()?;
        let number = NUMBER.fetch_add(1, Relaxed);
        let root = std::env::var_os(ROOT).map(PathBuf::from).filter(|root| root.is_dir());
        let temporary = root.as_ref().map_or_else(std::env::temp_dir, |root| root.join("tmp"));
        let folder = temporary.join(format!("stunt-double-amqp-{}-{number}", std::process::id()));
        let ports: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()
            .map_err(|why| format!("no free ports: {why}"))?;
        let port = |at: usize| ports[at].local_addr().map_or(0, |address| address.port());
        let setting = Setting {
            name: format!("stunt{}-{number}@localhost", std::process::id()),
            port: port(0),
            distribution_port: port(1),
            epmd_port: port(2),
            root,
            folder,
        };
        drop(ports);
        setting.prepare().map_err(|why| format!("no folder for a node: {why}"))?;
        // First, or the other processes would start one that nobody stops.
        let mut epmd = setting.spawn_epmd()?;
        let started = setting.version().and_then(|version| {
            setting.permit_transient_queues(version)?;
            Ok((version, setting.spawn_beam()?))
        });
        let (version, beam) = match started {
            Ok(started) => started,
            Err(why) => {
                end(&mut epmd);
                return Err(why);
            }
        };
        let mut node = Node { beam, epmd, setting, version };
        node.wait_until_it_listens()?;
        Ok(node)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), String> {
        for _ in 0..TRIES {
            if let Ok(Some(status)) = self.beam.try_wait() {
                return Err(format!("rabbitmq-server ended at once: {status}"));
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.setting.port)).is_ok() {
                return Ok(());
            }
            nap(BETWEEN);
        }
        Err("rabbitmq-server does not listen".to_owned())
    }

    /// The version that it is, among those that are modelled.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// A file in its folder, which is removed with it: the path for us, and the path for the node.
    #[cfg(feature = "definitions")]
    pub(crate) fn file(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = self.setting.folder.join(name);
        let seen = self.setting.seen_inside(&file);
        (file, seen)
    }

    /// Its address, for a client of its own.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.setting.port)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.setting.port));
        let stream = stream.expect("a node that listens takes connections");
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    /// Runs a command of `rabbitmqctl`.
    pub(crate) fn control(&self, words: &[String]) -> Result<(), String> {
        run(self.control_command(words))
    }

    /// Returns a command of `rabbitmqctl`, ready to run.
    pub(crate) fn control_command(&self, words: &[String]) -> Command {
        let mut command = self.setting.script("rabbitmqctl");
        command.arg("--quiet").args(words);
        command
    }

    /// Kills the process and starts another one in the same folder.
    pub(crate) fn kill_and_restart(&mut self) {
        end(&mut self.beam);
        self.beam = self.setting.spawn_beam().expect("it could be started before");
        self.wait_until_it_listens().expect("it could be started before");
    }
}

impl Setting {
    fn prepare(&self) -> std::io::Result<()> {
        for folder in ["home", "mnesia", "log"] {
            std::fs::create_dir_all(self.folder.join(folder))?;
        }
        let plugins = "[rabbitmq_consistent_hash_exchange,rabbitmq_random_exchange].\n";
        std::fs::write(self.folder.join("enabled_plugins"), plugins)?;
        // No alarm is raised automatically.
        let settings = format!(
            "listeners.tcp.default = 127.0.0.1:{}\n\
             vm_memory_high_watermark.absolute = 4GB\n\
             disk_free_limit.absolute = 1MB\n\
             loopback_users = none\n",
            self.port
        );
        std::fs::write(self.folder.join("rabbitmq.conf"), settings)
    }

    /// Permits queues that are neither durable nor exclusive, which most conversations declare.
    ///
    /// The official 4.3 denies them by default. Debian's package has a patch that permits them, so
    /// without the setting the comparison would depend on where the server comes from. Versions
    /// that do not know the setting would not start with it.
    fn permit_transient_queues(&self, version: Version) -> Result<(), String> {
        let denied = !BrokerOptions::default()
            .with_version(version)
            .permits(DeprecatedFeature::TransientNonexclQueues);
        if !denied {
            return Ok(());
        }
        let file = self.folder.join("rabbitmq.conf");
        let append = || -> std::io::Result<()> {
            let settings = std::fs::read_to_string(&file)?;
            let setting = "deprecated_features.permit.transient_nonexcl_queues = true\n";
            std::fs::write(&file, settings + setting)
        };
        append().map_err(|why| format!("no configuration for a node: {why}"))
    }

    /// A command that knows only this node.
    fn script(&self, name: &str) -> Command {
        let script = Path::new(SCRIPTS).join(name);
        let exists = self.root.is_some() || script.exists();
        self.program(if exists { script.as_os_str() } else { name.as_ref() })
    }

    /// Returns a command that runs a program of the node's system, in the node's environment.
    fn program(&self, program: &std::ffi::OsStr) -> Command {
        let mut command = match &self.root {
            Some(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg(program);
                command
            }
            None => Command::new(program),
        };
        self.surround(&mut command);
        command
    }

    /// The path of a file as the node sees it.
    fn seen_inside(&self, file: &Path) -> PathBuf {
        let inside = self.root.as_ref().and_then(|root| file.strip_prefix(root).ok());
        inside.map_or_else(|| file.to_owned(), |inside| Path::new("/").join(inside))
    }

    fn surround(&self, command: &mut Command) {
        let path = |name: &str| self.seen_inside(&self.folder.join(name));
        command
            .env("HOME", path("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", path("none"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .stdin(Stdio::null());
    }

    fn version(&self) -> Result<Version, String> {
        let version = self.script("rabbitmqctl").args(["--silent", "version"]).output();
        let version =
            version.map_err(|why| format!("no rabbitmq-server to compare with: {why}"))?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let known = KNOWN.iter().find(|(number, _)| version.starts_with(number));
        let version = known.map(|(_, version)| *version).ok_or(version);
        version.map_err(|version| format!("rabbitmq-server is not a known version: {version:?}"))
    }

    fn spawn_epmd(&self) -> Result<Child, String> {
        let mut command = self.program("epmd".as_ref());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|why| format!("epmd does not start: {why}"))
    }

    /// With an interactive terminal the script would become the process itself, so it is told that
    /// there is none.
    fn spawn_beam(&self) -> Result<Child, String> {
        let mut command = self.script("rabbitmq-server");
        command.env("RABBITMQ_ALLOW_INPUT", "1").arg("-noinput");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|why| format!("rabbitmq-server does not start: {why}"))
    }
}

/// Runs a command. Returns its output if it fails.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|why| why.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.beam);
        end(&mut self.epmd);
        let _ = std::fs::remove_dir_all(&self.setting.folder);
    }
}

/// Returns what has arrived, and whether the server has closed the socket.
pub(crate) fn available(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (all, true),
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => return (all, false),
            Err(_) => return (all, true),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the real server's time is that of the world")]
pub(crate) fn nap(time: Duration) {
    std::thread::sleep(time);
}
