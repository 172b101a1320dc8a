//! `swarmlab bench`: what it measures, when it finds a regression, and what it does with wrong input. No test depends on
//! how fast this machine is.

mod against;
mod judging;
mod live;
mod program;
mod subjects;
