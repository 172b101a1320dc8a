//! A request with its expressions parsed, once, before any node is looked at.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::model::Request;

use super::expression::CompiledPatterns;
use super::{Expression, ExpressionError, Strict};

/// What [`Scheduler::prepare`](super::Scheduler::prepare) makes of a request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prepared {
    inner: Arc<Inner>,
}

/// Prepares requests apart from a [`Scheduler`](super::Scheduler) with the same corrections, for those who share that one
/// and must not hold it while hostile expressions are parsed. Keeps compiled patterns, as a scheduler does.
#[derive(Clone, Debug)]
pub struct Parser {
    strict: Strict,
    patterns: CompiledPatterns,
}

impl Parser {
    /// A parser for requests to schedulers with these corrections.
    pub fn new(strict: Strict) -> Parser {
        Parser {
            strict,
            patterns: CompiledPatterns::default(),
        }
    }

    /// As [`Scheduler::prepare`](super::Scheduler::prepare).
    pub fn prepare(&mut self, request: Arc<Request>) -> Prepared {
        Prepared::new(request, self.strict, &mut self.patterns)
    }
}

/// Parsed expressions of one kind. One that does not parse rejects the request when its filter runs.
pub type Parsed = Result<Vec<Expression>, ExpressionError>;

#[derive(Debug)]
struct Inner {
    request: Arc<Request>,
    constraints: Parsed,
    affinities: Parsed,
    whitelists: Parsed,
    has_soft: bool,
    hash: u64,
}

impl Prepared {
    pub(super) fn new(request: Arc<Request>, strict: Strict, patterns: &mut CompiledPatterns) -> Prepared {
        let mut parse = |texts: &[String]| -> Parsed {
            let parsed = texts.iter().map(|text| Expression::parse_with(text, strict, patterns));
            parsed.collect()
        };
        let constraints = parse(&request.constraints);
        let affinities = parse(&request.affinities);
        let whitelists = request.whitelists.iter();
        let whitelists: Parsed = whitelists.map(|text| Expression::parse_whitelist(text)).collect();
        let has_soft = [&constraints, &affinities, &whitelists]
            .into_iter()
            .flatten()
            .flatten()
            .any(Expression::is_soft);
        Prepared {
            inner: Arc::new(Inner {
                has_soft,
                constraints,
                affinities,
                whitelists,
                hash: FxBuildHasher.hash_one(&request),
                request,
            }),
        }
    }

    /// The request itself.
    pub fn request(&self) -> &Arc<Request> {
        &self.inner.request
    }

    /// Parsed constraints.
    pub fn constraints(&self) -> &Parsed {
        &self.inner.constraints
    }

    /// Parsed affinities.
    pub fn affinities(&self) -> &Parsed {
        &self.inner.affinities
    }

    /// Parsed whitelists.
    pub fn whitelists(&self) -> &Parsed {
        &self.inner.whitelists
    }

    /// Whether any expression is soft.
    pub(super) fn has_soft(&self) -> bool {
        self.inner.has_soft
    }

    /// Equal requests have equal hashes.
    pub fn hash(&self) -> u64 {
        self.inner.hash
    }

    /// Whether both are the same question to a scheduler.
    pub fn is_same(&self, other: &Prepared) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.inner.hash == other.inner.hash && self.inner.request == other.inner.request)
    }
}
