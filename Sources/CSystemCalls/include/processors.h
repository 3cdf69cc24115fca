// On which processors a thread may run, and when (sched(7)); what Swift's Glibc module does not show of it.
#pragma once

#include <pthread.h>
#include <sys/types.h>

/// A set of processors: 1,024, as many as glibc's `cpu_set_t` has.
struct flowspool_processors {
    unsigned long words[1024 / (8 * sizeof(unsigned long))];
};

/// gettid(2).
pid_t flowspool_thread_id(void);

/// Lets the thread `tid` of this process, which sleeps, wake up on any processor but the caller's. `allowed` gets those that the
/// caller may run on. -1, with nothing changed, where there is no other, or the kernel refuses.
int flowspool_wake_elsewhere(pid_t tid, struct flowspool_processors *allowed);

/// Lets the thread `tid` of this process, which sleeps, wake up on the caller's processor. `allowed` gets those that the caller may run
/// on. -1, with nothing changed, where the kernel refuses.
int flowspool_wake_here(pid_t tid, struct flowspool_processors *allowed);

/// Lets a thread that is made with these attributes begin on any processor but the caller's. `allowed` gets those that the caller
/// may run on. -1, with nothing changed, where there is no other.
int flowspool_begin_elsewhere(pthread_attr_t *attributes, struct flowspool_processors *allowed);

/// Lets the calling thread run on these. 0, or -1 and errno.
int flowspool_run_on(const struct flowspool_processors *allowed);

/// Lets the calling thread run on no processor but the present one. `allowed` gets those that it might run on until now, for
/// `flowspool_run_on`. -1, with nothing changed, where the kernel refuses.
int flowspool_stay_here(struct flowspool_processors *allowed);

/// From now on the calling thread waits, when it wakes up, until the one that runs on its processor gives way or has had its share
/// (sched_setscheduler(2), SCHED_BATCH). What it starts, threads and children, would do the same. 0, or -1 and errno; a thread whose
/// policy somebody has chosen keeps it.
int flowspool_give_way(void);

/// Ends that: the calling thread is scheduled as the process's first thread is. 0, or -1 and errno.
int flowspool_take_turns(void);

/// From now on the calling thread runs in turns of 0.1 ms (sched_setattr(2), `sched_runtime` of SCHED_OTHER, which Linux has taken for
/// that since 6.12): when it wakes up, it need not wait for the turn of one that runs on its processor. What it starts meanwhile inherits
/// that. `are_short` 0 ends it. 0, or -1 and errno; a thread whose policy somebody has chosen keeps it.
int flowspool_take_short_turns(int are_short);

/// The same for good, and what the thread starts does not inherit it (SCHED_RESET_ON_FORK).
int flowspool_always_take_short_turns(void);
