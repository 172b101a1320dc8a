//! The measuring process: does what it is asked until nobody asks any more.

use std::io::{self, BufRead, Read, Write};
use std::time::Instant;

use super::origin::Origin;
use super::protocol::{Answer, Ask, LINE_MAX, PROTOCOL, SubjectSpec};
use super::subject::Subject;
use super::trial::{Stage, Trial};

/// Decisions before any is measured: a scheduler makes tables of what keeps coming back, and of a large cluster only
/// when it has come back so often that they are worth it. The more of them, the more nodes there are.
const WARM_UP: usize = 32;
/// Nodes that call for one more of them.
const NODES_PER_WARM_UP: usize = 10;

/// Most single times of one answer, which must fit in a line.
const SINGLES_MAX: u64 = 10_000;

/// Answers requests, one a line, until the input ends. `find` makes a subject of its description.
///
/// # Errors
///
/// If the input cannot be read or the output not be written.
pub fn serve(
    mut input: impl BufRead,
    mut output: impl Write,
    find: impl Fn(&SubjectSpec) -> Result<Subject, String>,
) -> io::Result<()> {
    let start = Instant::now();
    let clock = || start.elapsed().as_nanos() as u64;
    let mut stage = None;
    let mut line = String::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(ask) => answer(ask, &mut stage, &clock, &find),
            Err(error) => Err(format!("cannot understand the request: {error}")),
        };
        serde_json::to_writer(&mut output, &answer.unwrap_or_else(Answer::Failed))?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}

fn answer(
    ask: Ask,
    stage: &mut Option<Stage>,
    clock: &dyn Fn() -> u64,
    find: &impl Fn(&SubjectSpec) -> Result<Subject, String>,
) -> Result<Answer, String> {
    match ask {
        Ask::Greet => Ok(Answer::Greeted {
            protocol: PROTOCOL,
            origin: Origin::here(),
        }),
        Ask::Open(subject) => {
            *stage = Some(Stage::new(find(&subject)?));
            Ok(Answer::Opened)
        }
        Ask::Prepare(case) => {
            let stage = stage.as_mut().ok_or("nothing was opened")?;
            match stage.trial(&case, &|| false) {
                Ok(Some(trial)) => {
                    for _ in 0..WARM_UP + case.nodes / NODES_PER_WARM_UP {
                        trial.once();
                    }
                    Ok(Answer::Prepared)
                }
                Ok(None) => Err(format!("there is no kind of request named {:?}", case.kind)),
                Err(error) => Err(error.to_string()),
            }
        }
        Ask::Time { iterations } => {
            let nanoseconds = time(current(stage)?, iterations, clock);
            Ok(Answer::Timed { nanoseconds })
        }
        Ask::TimeSingly { at_most, nanoseconds } => {
            let trial = current(stage)?;
            let (mut found, mut spent) = (Vec::new(), 0);
            while (found.len() as u64) < at_most.min(SINGLES_MAX) && spent < nanoseconds {
                let taken = time(trial, 1, clock);
                spent += taken.max(1);
                found.push(taken);
            }
            Ok(Answer::TimedSingly { nanoseconds: found })
        }
        Ask::Count { iterations } => {
            counted_decisions(current(stage)?, iterations);
            Ok(Answer::Counted)
        }
    }
}

fn time(trial: &mut Trial, iterations: u64, clock: &dyn Fn() -> u64) -> u64 {
    let begin = clock();
    for _ in 0..iterations {
        trial.once();
    }
    clock().saturating_sub(begin)
}

fn current(stage: &mut Option<Stage>) -> Result<&mut Trial, String> {
    let prepared = stage.as_mut().and_then(Stage::current);
    prepared.ok_or_else(|| "nothing was prepared".to_owned())
}

/// What [`Callgrind`](super::Callgrind) counts the instructions of: it knows this function by its name, so it must stay
/// one.
#[inline(never)]
fn counted_decisions(trial: &mut Trial, iterations: u64) {
    for _ in 0..iterations {
        trial.once();
    }
}
