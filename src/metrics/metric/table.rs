//! The table of metrics: the one place that describes them.

use super::{Better, Definition, Unit};

use Better::{Higher, Lower, Neither};

macro_rules! metrics {
    ($($metric:ident { $key:literal, $title:literal, $unit:ident, $better:expr, $text:literal })*) => {
        /// A figure that a run is summarised by. The order is the order of every table and file.
        ///
        /// Two words are used throughout. The *window* is the time from the end of the warm-up to the end of the run,
        /// both included; figures over time are over the window, and events count if they happen in it. A container is
        /// *counted* if it was submitted in the window, whatever happens later. Without a warm-up both are everything.
        ///
        /// u is what is reserved on an available node, c its real capacity, without overcommit. A node is available
        /// while it is schedulable and its health indicator is above zero. Samples are weighted equally.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $(#[doc = $text] $metric,)*
        }

        impl Metric {
            /// Every metric, in order.
            pub const ALL: &'static [Metric] = &[$(Metric::$metric),*];

            /// What is known about it.
            pub fn definition(self) -> &'static Definition {
                match self {
                    $(Metric::$metric => &Definition {
                        key: $key,
                        title: $title,
                        unit: Unit::$unit,
                        better: $better,
                        text: $text,
                    },)*
                }
            }
        }
    };
}

metrics! {
    Submitted { "submitted", "Containers submitted", Count, Neither,
        "Containers that clients asked for in the window (counted containers)." }
    Placed { "placed", "Containers placed", Count, Higher("places the most containers"),
        "Counted containers that were placed, at whichever attempt." }
    Rejected { "rejected", "Containers rejected", Count, Lower("rejects the fewest containers"),
        "Counted containers that were refused for good." }
    RejectedShare { "rejected_pct", "Rejected", Percent, Lower("rejects the smallest share of containers"),
        "Rejected ÷ submitted (scheduling literature's rejection rate); undefined if nothing was submitted." }
    WaitingAtEnd { "waiting_at_end", "Containers waiting at the end", Count,
        Lower("leaves the fewest containers waiting at the end"),
        "Counted containers that were neither placed nor refused for good when the run ended." }
    Retried { "retried", "Containers retried or queued", Count, Lower("makes the fewest containers try again or queue"),
        "Counted containers that were not placed at once and tried again or queued." }
    RefusedAttempts { "refused_attempts", "Refused attempts", Count, Lower("refuses the fewest attempts"),
        "Decisions in the window that found no node, those for containers to be placed again included." }
    WaitMean { "wait_mean_s", "Mean wait for a place", Seconds, Lower("places containers soonest on average"),
        "Mean time from submission to placement of counted containers that were placed (Omega's wait, Schwarzkopf et \
         al., EuroSys 2013)." }
    WaitP50 { "wait_p50_s", "Median wait for a place", Seconds, Lower("has the shortest median wait for a place"),
        "Median time, by nearest rank, from submission to placement of counted containers that were placed." }
    WaitP90 { "wait_p90_s", "90th percentile wait for a place", Seconds,
        Lower("has the shortest 90th percentile wait for a place"),
        "90th percentile, by nearest rank, of the time from submission to placement." }
    WaitP99 { "wait_p99_s", "99th percentile wait for a place", Seconds,
        Lower("has the shortest 99th percentile wait for a place"),
        "99th percentile, by nearest rank, of the time from submission to placement." }
    StartupP50 { "startup_p50_s", "Median time to start", Seconds, Lower("starts containers soonest at the median"),
        "Median time, by nearest rank, from submission until the container ran, of counted containers that ran where \
         they were first placed." }
    StartupP90 { "startup_p90_s", "90th percentile time to start", Seconds,
        Lower("starts containers soonest at the 90th percentile"),
        "90th percentile, by nearest rank, of the time from submission until the container ran." }
    StartupP99 { "startup_p99_s", "99th percentile time to start", Seconds,
        Lower("starts containers soonest at the 99th percentile"),
        "99th percentile, by nearest rank, of the time from submission until the container ran." }
    CpuUtilised { "cpu_utilised_pct", "CPU utilised", Percent, Higher("makes the most use of CPU"),
        "Σ min(u, c) ÷ Σc of CPU, time-weighted mean: what is reserved within what nodes have." }
    MemoryUtilised { "memory_utilised_pct", "Memory utilised", Percent, Higher("makes the most use of memory"),
        "Σ min(u, c) ÷ Σc of memory, time-weighted mean: what is reserved within what nodes have." }
    FurtherReserved { "further_reserved_pct", "Further resource reserved", Percent,
        Higher("makes the most use of further resources"),
        "Allocation ratio Σu/Σc of the fullest further resource, such as GPUs, mean over samples; undefined if nodes have none." }
    FurtherReservedFinal { "further_reserved_final_pct", "Further resource reserved, final", Percent,
        Higher("ends with the most of the further resources reserved"),
        "Allocation ratio Σu/Σc of the fullest further resource when the run ended." }
    CpuReservedMean { "cpu_reserved_mean_pct", "CPU reserved, mean", Percent, Neither,
        "Allocation ratio Σu/Σc of CPU, promises beyond what nodes have included, time-weighted mean (1/T)∫dt; time without an available node is left out." }
    CpuReservedPeak { "cpu_reserved_peak_pct", "CPU reserved, peak", Percent, Neither,
        "Largest allocation ratio Σu/Σc of CPU that lasted." }
    CpuReservedFinal { "cpu_reserved_final_pct", "CPU reserved, final", Percent, Neither,
        "Allocation ratio Σu/Σc of CPU when the run ended." }
    MemoryReservedMean { "memory_reserved_mean_pct", "Memory reserved, mean", Percent, Neither,
        "Allocation ratio Σu/Σc of memory, promises beyond what nodes have included, time-weighted mean (1/T)∫dt; time without an available node is left out." }
    MemoryReservedPeak { "memory_reserved_peak_pct", "Memory reserved, peak", Percent,
        Neither,
        "Largest allocation ratio Σu/Σc of memory that lasted." }
    MemoryReservedFinal { "memory_reserved_final_pct", "Memory reserved, final", Percent, Neither,
        "Allocation ratio Σu/Σc of memory when the run ended." }
    CpuOvercommitted { "cpu_overcommitted_pct", "CPU overcommitted", Percent, Lower("overcommits the least CPU"),
        "Σ max(0, u − c) ÷ Σc of CPU, time-weighted mean." }
    MemoryOvercommitted { "memory_overcommitted_pct", "Memory overcommitted", Percent,
        Lower("overcommits the least memory"),
        "Σ max(0, u − c) ÷ Σc of memory, time-weighted mean." }
    CpuCv { "cpu_cv", "CPU variation between nodes", Ratio, Lower("balances CPU best by variation"),
        "Coefficient of variation σ/μ of x = u/c of CPU over available nodes, population σ; mean over the samples in \
         which something is reserved; 0 is perfect balance." }
    CpuJain { "cpu_jain", "Jain index of CPU", Ratio, Higher("balances CPU best by Jain's index"),
        "Jain's index (Σx)²/(NΣx²) of x = u/c of CPU over N available nodes (Jain, Chiu, Hawe 1984); mean over the \
         samples in which something is reserved; 1 is perfect balance." }
    CpuMaxOverMean { "cpu_max_over_mean", "CPU maximum over mean", Ratio,
        Lower("has the lowest CPU peak between nodes"),
        "max x ÷ mean x of x = u/c of CPU over available nodes; mean over the samples in which something is \
         reserved; 1 is perfect balance." }
    MemoryCv { "memory_cv", "Memory variation between nodes", Ratio, Lower("balances memory best by variation"),
        "Coefficient of variation σ/μ of x = u/c of memory over available nodes, population σ; mean over the samples \
         in which something is reserved; 0 is perfect balance." }
    MemoryJain { "memory_jain", "Jain index of memory", Ratio, Higher("balances memory best by Jain's index"),
        "Jain's index (Σx)²/(NΣx²) of x = u/c of memory over N available nodes (Jain, Chiu, Hawe 1984); mean over \
         the samples in which something is reserved; 1 is perfect balance." }
    MemoryMaxOverMean { "memory_max_over_mean", "Memory maximum over mean", Ratio,
        Lower("has the lowest memory peak between nodes"),
        "max x ÷ mean x of x = u/c of memory over available nodes; mean over the samples in which something is \
         reserved; 1 is perfect balance." }
    ActiveNodesMean { "active_nodes_mean", "Active nodes, mean", Count, Lower("uses the fewest nodes"),
        "Nodes with at least one container in any state, available or not, time-weighted mean." }
    ActiveNodesPeak { "active_nodes_peak", "Active nodes, peak", Count, Lower("uses the fewest nodes at the peak"),
        "Largest number of nodes with at least one container that lasted." }
    Packing { "packing_pct", "Packing efficiency", Percent, Higher("packs most tightly"),
        "Lower bound ÷ available nodes with a container; the bound is the larger, over CPU and memory, of the least \
         k such that the k largest capacities cover Σu, and at least 1; mean over the samples with a container; \
         above 100 % nodes are overcommitted." }
    PackingPeak { "packing_peak_pct", "Packing efficiency at the peak", Percent,
        Higher("packs most tightly at the peak"),
        "Packing efficiency in the first sample with the most containers." }
    CpuStranded { "cpu_stranded_pct", "CPU stranded", Percent, Lower("strands the least CPU"),
        "Free CPU of available nodes that lack the memory for the smallest typical container, ÷ Σc (Borg's \
         stranding, Verma et al., EuroSys 2015); mean over samples." }
    MemoryStranded { "memory_stranded_pct", "Memory stranded", Percent, Lower("strands the least memory"),
        "Free memory of available nodes that lack the CPU for the smallest typical container, ÷ Σc (Borg's \
         stranding, Verma et al., EuroSys 2015); mean over samples." }
    CpuFragmented { "cpu_fragmented_pct", "CPU fragmented", Percent, Lower("fragments the least CPU"),
        "Free CPU of available nodes, weighted by the popularity of the typical containers that do not fit there, ÷ \
         Σc (FGD's fragmentation, Weng et al., ATC 2023, for CPU); mean over samples." }
    MemoryFragmented { "memory_fragmented_pct", "Memory fragmented", Percent, Lower("fragments the least memory"),
        "Free memory of available nodes, weighted by the popularity of the typical containers that do not fit there, \
         ÷ Σc (FGD's fragmentation, Weng et al., ATC 2023, for memory); mean over samples." }
    NodeFailures { "node_failures", "Node failures", Count, Neither,
        "Nodes that failed or left the cluster in the window; this and the other figures on disruption are undefined \
         if none failed, left or was drained." }
    ContainersLost { "containers_lost", "Containers lost", Count, Lower("loses the fewest containers"),
        "Containers that had not exited and were on nodes when these failed or left the cluster." }
    ContainersMoved { "containers_moved", "Containers moved", Count, Lower("moves the fewest containers"),
        "Containers that were taken off draining nodes." }
    ContainersRescheduled { "containers_rescheduled", "Containers placed again", Count, Neither,
        "Lost or moved containers that were placed again on another node." }
    ContainersNotReplaced { "containers_not_replaced", "Containers not placed again", Count,
        Lower("leaves the fewest lost containers without a place"),
        "Lost or moved containers that were not placed again before the end, be it that their policy does not ask \
         for it." }
    RecoveryP50 { "recovery_p50_s", "Median time to recover", Seconds, Lower("recovers soonest at the median"),
        "Median, over node failures with containers to place again, of the time until all of these were placed \
         again; failures that were not recovered from are left out." }
    RecoveryMax { "recovery_max_s", "Longest time to recover", Seconds, Lower("has the shortest longest recovery"),
        "Longest time from a node failure until all its containers to place again were placed again; failures that \
         were not recovered from are left out." }
    FailuresNotRecovered { "failures_not_recovered", "Failures not recovered from", Count,
        Lower("recovers from the most failures"),
        "Node failures of which some container to place again was not, before the end." }
    Restarts { "restarts", "Restarts", Count, Neither,
        "Exits in the window after which a restart policy started the container again; undefined if nothing exited." }
    SoftKept { "soft_kept_pct", "Soft rules kept", Percent, Higher("keeps the most soft rules"),
        "Of counted containers with soft expressions that were placed, those placed with all of them in force; \
         undefined without any." }
    PulledBytes { "pulled_bytes", "Bytes pulled", Bytes, Lower("pulls the fewest bytes"),
        "Bytes of layers that nodes began to pull in the window; this and the other figures on images are undefined \
         if no image is modelled." }
    ColdStarts { "cold_start_pct", "Cold starts", Percent, Lower("has the fewest cold starts"),
        "Of containers that started in the window, restarts excepted, those that waited for their image." }
    PullWaitMean { "pull_wait_mean_s", "Mean wait for an image", Seconds, Lower("waits least for images"),
        "Mean wait of cold starts for their image: time from placement to start, less the daemon's latency." }
}
