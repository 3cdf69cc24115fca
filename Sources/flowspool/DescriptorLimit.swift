// Many jobs at one time need many open files: the soft limit of the process, which is 1024 mostly, is raised as far as it may be, where the
// jobs that are asked for would meet it.

import Foundation
import Spool

enum DescriptorLimit {
    /// Open files that a job takes while it is prepared and run, and those of everything else.
    private static let perJob: rlim_t = 12
    private static let others: rlim_t = 96

    /// How many jobs may run at one time, of so many that are wanted; raises the limit where that is needed and allowed (getrlimit(2)).
    static func jobs(_ wanted: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return wanted }
        let needed = others + perJob * rlim_t(max(wanted, 1))
        if limit.rlim_cur < needed {
            let before = limit.rlim_cur
            limit.rlim_cur = min(needed, limit.rlim_max)
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { limit.rlim_cur = before }
        }
        guard limit.rlim_cur < needed else { return wanted }
        let possible = max(1, Int((max(limit.rlim_cur, others) - others) / perJob))
        StandardError.warn(
            "\(wanted) jobs at one time need \(needed) open files, and \(limit.rlim_cur) are allowed (`ulimit -n`): "
                + "\(counted(possible, "job")) at one time")
        return possible
    }
}
