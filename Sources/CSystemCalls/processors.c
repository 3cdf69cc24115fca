#define _GNU_SOURCE
#include "processors.h"

#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(cpu_set_t) == sizeof(struct flowspool_processors), "glibc's set has another size");

pid_t flowspool_thread_id(void) { return gettid(); }

/// The processors that the caller may run on, and those of them that it is not on; -1 where there is no other.
static int others(struct flowspool_processors *allowed, cpu_set_t *others) {
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof *others, others) != 0) return -1;
    memcpy(allowed, others, sizeof *others);
    CPU_CLR(here, others);
    return CPU_COUNT(others) > 0 ? 0 : -1;
}

int flowspool_wake_elsewhere(pid_t tid, struct flowspool_processors *allowed) {
    cpu_set_t set;
    return others(allowed, &set) == 0 ? sched_setaffinity(tid, sizeof set, &set) : -1;
}

int flowspool_begin_elsewhere(pthread_attr_t *attributes, struct flowspool_processors *allowed) {
    cpu_set_t set;
    return others(allowed, &set) == 0 && pthread_attr_setaffinity_np(attributes, sizeof set, &set) == 0 ? 0 : -1;
}

int flowspool_run_on(const struct flowspool_processors *allowed) {
    return sched_setaffinity(0, sizeof *allowed, (const cpu_set_t *)allowed);
}

// Lets the thread `tid` (0: the caller) run on the caller's processor only.
static int only_here(pid_t tid, struct flowspool_processors *allowed) {
    cpu_set_t set;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof set, &set) != 0) return -1;
    memcpy(allowed, &set, sizeof set);
    CPU_ZERO(&set);
    CPU_SET(here, &set);
    return sched_setaffinity(tid, sizeof set, &set);
}

int flowspool_wake_here(pid_t tid, struct flowspool_processors *allowed) { return only_here(tid, allowed); }

int flowspool_stay_here(struct flowspool_processors *allowed) { return only_here(0, allowed); }

int flowspool_give_way(void) {
    struct sched_param none = {0};
    return sched_getscheduler(0) == SCHED_OTHER ? sched_setscheduler(0, SCHED_BATCH, &none) : 0;
}

static int set_turns(int are_short, uint64_t flags) {
    // As <linux/sched/types.h> has it, which cannot be included beside <sched.h>; its first version (SCHED_ATTR_SIZE_VER0).
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes;
    _Static_assert(sizeof attributes == 48, "the kernel knows another size");
    memset(&attributes, 0, sizeof attributes);
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -1;
    if (attributes.policy != SCHED_OTHER) return 0;
    attributes.flags |= flags;
    attributes.runtime = are_short ? 100 * 1000 : 0;
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int flowspool_take_short_turns(int are_short) { return set_turns(are_short, 0); }

int flowspool_always_take_short_turns(void) {
    const uint64_t reset_on_fork = 1;
    return set_turns(1, reset_on_fork);
}

int flowspool_take_turns(void) {
    struct sched_param none = {0};
    int gave_way = sched_getscheduler(0) == SCHED_BATCH && sched_getscheduler(getpid()) == SCHED_OTHER;
    return gave_way ? sched_setscheduler(0, SCHED_OTHER, &none) : 0;
}
