// Whether everything is there that a run needs: the order of the questions and what they are asked of. What always holds: it
// changes nothing, also on a folder that is no spool, and one question that cannot be answered never keeps the others from
// being asked. What needs inotify is asked by the command line, which knows the watcher.

import Foundation

/// Looks at one spool and the machine under it.
public struct Doctor: Sendable {
    /// Absolute; need not exist.
    let path: String
    let repoRoot: String
    let configFlag: String?
    let allowsShared: Bool
    /// `PATH` is where programs are looked for; the toggles in it are judged too.
    let environment: [String: String]
    let now: Int64

    /// - Parameters:
    ///   - allowsShared: a folder that others may write to is a warning only.
    ///   - now: milliseconds since 1970 UTC.
    public init(
        path: String, repoRoot: String, configFlag: String? = nil, allowsShared: Bool = false, environment: [String: String],
        now: Int64
    ) {
        self.path = path
        self.repoRoot = repoRoot
        self.configFlag = configFlag
        self.allowsShared = allowsShared
        self.environment = environment
        self.now = now
    }

    /// Everything about the machine, the policy and the spool, in that order. Reads the whole ledger.
    public func diagnoses() -> [Diagnosis] {
        programs() + [clock()] + configuration() + spool()
    }

    /// Programs that a run starts.
    private func programs() -> [Diagnosis] {
        let searchPath = environment["PATH"] ?? "/usr/bin:/bin"
        func find(_ name: String) -> String? { ProgramFinder.search(name, in: searchPath) }
        func require(_ name: String, _ use: String, isNeeded: Bool) -> Diagnosis {
            if let found = find(name) { return .ok(name, found) }
            let text = "not found on PATH; \(use)"
            let remedy = "sudo apt-get install \(name)"
            return isNeeded ? .fail(name, text, mend: remedy) : .warn(name, text, mend: remedy)
        }
        let shfmt: Diagnosis
        do {
            let analyzer = try ShellAnalyzer(searchPath: searchPath)
            shfmt = .ok("shfmt", "\(analyzer.shfmtPath), version \(analyzer.shfmtVersion)")
        } catch {
            shfmt = .fail("shfmt", "\(error.message); nothing runs that was not judged", mend: "sudo apt-get install shfmt")
        }
        return [
            shfmt, require("bash", "blocks are run by it", isNeeded: true),
            require("git", "worktrees of agents and many prompts use it", isNeeded: false),
            require("curl", "the gate verify.http_200 asks with it", isNeeded: false),
        ]
    }

    /// The profile configuration, its runtime copy, and toggles in the environment.
    private func configuration() -> [Diagnosis] {
        let flag = configFlag.map { " --config \(shellQuoted($0))" } ?? ""
        let helper = "--repo-root \(shellQuoted(repoRoot))\(flag)"
        var found: [Diagnosis] = []
        do throws(FlowspoolError) {
            let configuration = try PolicyConfiguration.load(flag: configFlag, repoRoot: repoRoot)
            let resolver = try PolicyResolver(
                configuration: configuration, profileFlag: nil, flags: [], environment: environment)
            let origin = configuration.path ?? "no file, so what is built in"
            found.append(.ok("config", "profile \(resolver.base.profile ?? "none"); \(origin)"))
        } catch {
            found.append(.fail("config", error, mend: "flowspool profile validate \(helper)"))
        }
        let copies = ConfigurationCopies(repoRoot: repoRoot, configFlag: configFlag)
        guard access(copies.sourcePath, F_OK) == 0 else { return found }
        guard access(copies.runtimePath, F_OK) == 0 else {
            return found + [.ok("copies", "there is no runtime copy of the configuration")]
        }
        do throws(FlowspoolError) {
            if try copies.compare().isSame {
                found.append(.ok("copies", "the runtime copy is the same"))
            } else {
                found.append(
                    .warn(
                        "copies", "\(copies.runtimePath) differs from \(copies.sourcePath), which applies",
                        mend: "flowspool profile diff \(helper), then flowspool profile sync \(helper)"))
            }
        } catch {
            found.append(.fail("copies", error, mend: "flowspool profile sync \(helper)"))
        }
        return found
    }

    /// Times in the ledger, retention and deferrals all go by the clock.
    private func clock() -> Diagnosis {
        // 1 January 2024: earlier than this program, so the clock has never been set.
        guard now >= 1_704_067_200_000 else {
            return .fail(
                "clock", "it says \(utcText(now, fraction: false)), which is past", mend: "sudo timedatectl set-ntp true")
        }
        let text = utcText(now, fraction: false)
        return switch ClockState.kernel {
        case .synchronised: .ok("clock", "\(text), synchronised")
        case .free: .warn("clock", "\(text), not synchronised with any other", mend: "sudo timedatectl set-ntp true")
        case .unknown: .ok("clock", text)
        }
    }
}
