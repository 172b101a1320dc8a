//! The stages of the test, one after the other: ready, filled, measured with one client and with many, read, idle.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::process::{Child, ChildError};
use super::template::{Places, Template};
use super::usage::Usage;
use crate::engines::AddressPlan;
use crate::load::{self, Measured, Options, Paired, Prefix, Reading};
use crate::net::Address;
use crate::sim;

/// Time between two looks at whether something has come.
const GLANCE: Duration = Duration::from_millis(20);
/// Time in which a manager digests what happened in a stage.
const SETTLE: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(60);
/// What is read, and measured, on the filled cluster.
const READ: [&str; 2] = ["/info", "/containers/json?all=1"];

/// What is tested, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// This program.
    pub program: PathBuf,
    /// The arguments of `engines` that name the scenario.
    pub scenario: Vec<String>,
    /// Its nodes and requests.
    pub simulated: sim::Plan,
    /// The seed of everything random.
    pub seed: u64,
    /// Where engines listen.
    pub addresses: AddressPlan,
    /// The command line of the manager.
    pub manager: Template,
    /// The name of its strategy.
    pub strategy: String,
    /// Where logs go.
    pub directory: PathBuf,
    /// Containers on each node when the cluster is full.
    pub containers_per_node: u64,
    /// Containers that are created to measure it, by one client and by many.
    pub count: u64,
    /// How many are many.
    pub clients: usize,
    /// How often answers are read.
    pub reads: u64,
    /// How long the manager is watched while nobody asks for anything.
    pub idle: Duration,
    /// How long the engines, and then the manager, may take to be ready.
    pub patience: Duration,
}

/// Where a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Engines are started.
    Engines,
    /// The manager is started, and gets to know the engines.
    Health,
    /// The cluster is filled.
    Fill,
    /// One client asks.
    One,
    /// Many clients ask.
    Many,
    /// Answers are read.
    Read,
    /// Nobody asks.
    Idle,
}

impl Stage {
    /// What is happening.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Engines => "starting engines",
            Stage::Health => "waiting until all engines are healthy",
            Stage::Fill => "filling the cluster",
            Stage::One => "one client",
            Stage::Many => "many clients",
            Stage::Read => "reading",
            Stage::Idle => "watching the manager idle",
        }
    }
}

/// Is told where the test is: the stage, how much of it is done, and of how much.
pub type Progress<'a> = dyn Fn(Stage, u64, u64) + 'a;

/// What was found; what is missing was not reached.
#[derive(Debug, Default)]
pub struct Findings {
    /// The time from the start of the process until all engines listened.
    pub engines_ready: Option<Duration>,
    /// What the engines used then.
    pub engines_usage: Option<Usage>,
    /// The command line of the manager.
    pub manager: Vec<String>,
    /// The time from the start of the manager until it took all engines for healthy.
    pub healthy: Option<Duration>,
    /// What the manager used then.
    pub healthy_usage: Option<Usage>,
    /// The filling.
    pub fill: Option<Fill>,
    /// One client, at the manager and at engines.
    pub one: Option<Paired>,
    /// Many clients.
    pub many: Option<Measured>,
    /// Processor time of the manager meanwhile.
    pub many_processor: Option<Duration>,
    /// Answers that were read.
    pub readings: Vec<Reading>,
    /// The manager, unasked.
    pub idle: Option<Idle>,
}

/// How the cluster was filled.
#[derive(Debug)]
pub struct Fill {
    /// What was measured meanwhile.
    pub measured: Measured,
    /// Processor time of the manager.
    pub processor: Option<Duration>,
    /// What the manager used at the end.
    pub usage: Option<Usage>,
    /// What the engines used at the end.
    pub engines: Option<Usage>,
}

/// A manager that nobody asks for anything.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// For so long.
    pub span: Duration,
    /// Its processor time in it.
    pub processor: Duration,
    /// What it used at the end.
    pub usage: Usage,
}

/// Goes through all stages, and notes in `findings` what each has found as soon as it is over, until `stop` says that it
/// is enough. The processes have ended when it comes back. To be called on a thread that outlives it: on Linux, what it
/// starts ends with the thread.
///
/// # Errors
///
/// If one of the processes cannot be started, ends, or is not ready in time.
pub async fn measure(
    plan: &Plan,
    stop: &CancellationToken,
    progress: &Progress<'_>,
    findings: &mut Findings,
) -> Result<(), ChildError> {
    progress(Stage::Engines, 0, 1);
    let begun = Instant::now();
    let mut engines = start_engines(plan)?;
    while !engines.has_written(" engines listen on ") {
        if stop.is_cancelled() {
            return Ok(());
        }
        engines.check()?;
        if begun.elapsed() > plan.patience {
            return Err(engines.late("do not listen", plan.patience));
        }
        tokio::time::sleep(GLANCE).await;
    }
    findings.engines_ready = Some(begun.elapsed());
    findings.engines_usage = Usage::of(engines.id());

    let begun = Instant::now();
    let (mut manager, target) = start_manager(plan, findings)?;
    let mut test = Test {
        plan,
        stop,
        progress,
        options: Options {
            plan: plan.simulated.clone(),
            seed: plan.seed,
            target,
            connections: plan.clients,
            speed: 1.0,
            patience: ANSWER,
            prefix: Prefix::default(),
            stop: stop.clone(),
        },
    };
    test.until_healthy(&mut engines, &mut manager, begun).await?;
    if stop.is_cancelled() {
        return Ok(());
    }
    findings.healthy = Some(begun.elapsed());
    findings.healthy_usage = Usage::of(manager.id());
    let work = test.stages(findings, manager.id(), engines.id());
    tokio::select! {
        () = work => Ok(()),
        error = death(&mut engines, &mut manager) => Err(error),
    }
}

/// Comes back when one of them has ended.
async fn death(engines: &mut Child, manager: &mut Child) -> ChildError {
    loop {
        if let Err(error) = engines.check().and_then(|()| manager.check()) {
            return error;
        }
        tokio::time::sleep(10 * GLANCE).await;
    }
}

fn start_engines(plan: &Plan) -> Result<Child, ChildError> {
    let mut line = vec![plan.program.display().to_string(), "engines".to_owned()];
    line.extend(plan.scenario.iter().cloned());
    line.extend([
        "--seed".to_owned(),
        plan.seed.to_string(),
        "--no-node-events".to_owned(),
        // Nobody connects to containers.
        "--published-ports".to_owned(),
        "0".to_owned(),
    ]);
    match plan.addresses {
        AddressPlan::Addresses { network, port } => line.extend([
            "--network".to_owned(),
            network.to_string(),
            "--port".to_owned(),
            port.to_string(),
        ]),
        AddressPlan::Ports { first, .. } => line.extend(["--ports-from".to_owned(), first.to_string()]),
    }
    Child::start("engines", &plan.program, &line, &plan.directory.join("engines.log"))
}

fn start_manager(plan: &Plan, findings: &mut Findings) -> Result<(Child, Address), ChildError> {
    let start = |source: io::Error| ChildError::Start {
        what: "manager",
        source,
    };
    // The system chooses the port, which is free again when the manager comes.
    let listener = TcpListener::bind("127.0.0.1:0").map_err(start)?;
    let address = listener.local_addr().map_err(start)?;
    drop(listener);
    let entries = plan.addresses.entries(plan.simulated.nodes.len());
    let list = std::path::absolute(plan.directory.join("engines.list")).map_err(start)?;
    fs::write(
        &list,
        entries.iter().map(|entry| format!("{entry}\n")).collect::<String>(),
    )
    .map_err(start)?;
    let places = Places {
        listen: format!("tcp://{address}"),
        port: address.port().to_string(),
        discovery: format!("nodes://{}", entries.join(",")),
        discovery_file: format!("file://{}", list.display()),
        strategy: plan.strategy.clone(),
    };
    findings.manager = plan.manager.fill(&places);
    let log = plan.directory.join("manager.log");
    let manager = Child::start("manager", &plan.program, &findings.manager, &log)?;
    Ok((manager, Address::Tcp(address.to_string())))
}

/// What the stages have in common.
struct Test<'a> {
    plan: &'a Plan,
    stop: &'a CancellationToken,
    progress: &'a Progress<'a>,
    options: Options,
}

impl Test<'_> {
    async fn until_healthy(
        &mut self,
        engines: &mut Child,
        manager: &mut Child,
        begun: Instant,
    ) -> Result<(), ChildError> {
        let count = self.plan.simulated.nodes.len();
        let mut seen = None;
        loop {
            let asked = load::get(&self.options, "/info");
            if let Ok(info) = tokio::time::timeout(self.plan.patience, asked)
                .await
                .unwrap_or(Err(String::new()))
            {
                let health = Health::read(&info);
                if health.healthy >= count {
                    return Ok(());
                }
                (self.progress)(Stage::Health, health.healthy as u64, count as u64);
                seen = Some(health);
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            manager.check()?;
            engines.check()?;
            if begun.elapsed() > self.plan.patience {
                let wrong = match seen {
                    None => format!("does not answer at {}", self.options.target),
                    Some(health) => format!("takes {} of {count} engines for healthy", health.healthy),
                };
                return Err(manager.late(wrong, self.plan.patience));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Everything from the filling on, as long as it is wanted.
    async fn stages(&self, findings: &mut Findings, manager: u32, engines: u32) {
        let plan = self.plan;
        let before = Usage::of(manager);
        let since = |before: Option<Usage>| Some(Usage::of(manager)?.processor_since(&before?));
        let containers = plan.simulated.nodes.len() as u64 * plan.containers_per_node;
        let measured = self.closed(Stage::Fill, "fill-", containers).await;
        findings.fill = Some(Fill {
            measured,
            processor: since(before),
            usage: Usage::of(manager),
            engines: Usage::of(engines),
        });
        if self.has_enough().await {
            return;
        }
        let options = self.named("one-");
        let one = load::paired(&options, plan.count, |done| {
            (self.progress)(Stage::One, done, plan.count)
        })
        .await;
        load::remove(&options, plan.clients, names(&one.target)).await;
        findings.one = Some(one);
        if self.has_enough().await {
            return;
        }
        let before = Usage::of(manager);
        let many = self.closed(Stage::Many, "many-", plan.count).await;
        findings.many_processor = since(before);
        load::remove(&self.named("many-"), plan.clients, names(&many)).await;
        findings.many = Some(many);
        if self.has_enough().await {
            return;
        }
        for (number, path) in READ.into_iter().enumerate() {
            (self.progress)(Stage::Read, number as u64, READ.len() as u64);
            findings
                .readings
                .push(load::read(&self.options, path, plan.reads).await);
        }
        if self.has_enough().await {
            return;
        }
        (self.progress)(Stage::Idle, 0, 1);
        let (before, begun) = (Usage::of(manager), Instant::now());
        tokio::select! {
            () = self.stop.cancelled() => return,
            () = tokio::time::sleep(plan.idle) => {}
        }
        findings.idle = Usage::of(manager).zip(before).map(|(usage, before)| Idle {
            span: begun.elapsed(),
            processor: usage.processor_since(&before),
            usage,
        });
    }

    /// Lets the manager digest what was, unless it is enough.
    async fn has_enough(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(SETTLE) => false,
        }
    }

    async fn closed(&self, stage: Stage, prefix: &str, count: u64) -> Measured {
        let told = |done| (self.progress)(stage, done, count);
        load::closed(&self.named(prefix), self.plan.clients, count, told).await
    }

    /// The options for containers whose names begin so.
    fn named(&self, prefix: &str) -> Options {
        Options {
            prefix: prefix.parse().expect("the prefixes are constants, and valid"),
            ..self.options.clone()
        }
    }
}

fn names(measured: &Measured) -> Vec<String> {
    measured.placed.iter().map(|placed| placed.name.clone()).collect()
}
