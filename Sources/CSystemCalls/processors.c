#define _GNU_SOURCE
#include "processors.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(cpu_set_t) == sizeof(struct flowspool_processors), "glibc's set has another size");

pid_t flowspool_thread_id(void) { return gettid(); }

int flowspool_wake_elsewhere(pid_t tid, struct flowspool_processors *allowed) {
    cpu_set_t set;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof set, &set) != 0) return -1;
    memcpy(allowed, &set, sizeof set);
    CPU_CLR(here, &set);
    return CPU_COUNT(&set) > 0 ? sched_setaffinity(tid, sizeof set, &set) : -1;
}

int flowspool_run_on(const struct flowspool_processors *allowed) {
    return sched_setaffinity(0, sizeof *allowed, (const cpu_set_t *)allowed);
}

int flowspool_stay_here(struct flowspool_processors *allowed) {
    cpu_set_t set;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof set, &set) != 0) return -1;
    memcpy(allowed, &set, sizeof set);
    CPU_ZERO(&set);
    CPU_SET(here, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

int flowspool_give_way(void) {
    struct sched_param none = {0};
    return sched_getscheduler(0) == SCHED_OTHER ? sched_setscheduler(0, SCHED_BATCH, &none) : 0;
}

int flowspool_take_turns(void) {
    struct sched_param none = {0};
    int gave_way = sched_getscheduler(0) == SCHED_BATCH && sched_getscheduler(getpid()) == SCHED_OTHER;
    return gave_way ? sched_setscheduler(0, SCHED_OTHER, &none) : 0;
}
