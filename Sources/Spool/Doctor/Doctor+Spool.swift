// What is asked of the folder: may it be a spool, is it one, is it whole, does anything stand still in it.

import Foundation

extension Doctor {
    /// Free bytes below which a run would soon stop, and below which it is time to make room.
    private static let (bytesLeast, bytesGood) = (UInt64(16 << 20), UInt64(512 << 20))
    /// The same for files.
    private static let (filesLeast, filesGood) = (UInt64(200), UInt64(10_000))

    func spool() -> [Diagnosis] {
        let shown = shellQuoted(path)
        let root: Directory
        do throws(SystemCallError) {
            root = try Directory(path: path)
        } catch {
            if error.errno == ENOENT {
                return [.warn("spool", "\(path) does not exist", mend: "flowspool init \(shown)")]
            }
            return [.fail("spool", error, mend: "name a folder: flowspool doctor --spool DIR")]
        }
        var found: [Diagnosis] = []
        do {
            try SpoolFolder.refuseInsideSpool(path)
        } catch {
            found.append(.fail("spool", error, mend: "use the spool itself, or a folder outside it"))
        }
        found += [permissions(root), owner(root)] + space(root)
        guard SpoolFolder.isSpool(path) else {
            found.append(.warn("spool", "\(path) is a folder, but no spool yet", mend: "flowspool init \(shown)"))
            return found + [contract(root)] + hold(root, nil)
        }
        do {
            let spool = try SpoolFolder.open(at: path)
            return found + [.ok("spool", path), leases(spool), settings(), contract(root)] + ledger(spool)
        } catch {
            // One of its folders is gone or is something else.
            return found + [.fail("spool", error, mend: "flowspool init \(shown)")]
        }
    }

    // MARK: The folder

    /// Whoever may drop a prompt runs commands as the spool's user; its own folders are moved about without looking.
    private func permissions(_ root: Directory) -> Diagnosis {
        do {
            var open: [String] = []
            if try root.status().mode & 0o022 != 0 { open.append(path) }
            for name in [SpoolFolder.controlName] + SpoolFolder.placeNames {
                if let status = try root.status(name), status.kind == .folder, status.mode & 0o022 != 0 {
                    open.append(root.pathOf(name))
                }
            }
            guard let first = open.first else { return .ok("permissions", "only its owner may write to it") }
            let remedy = "chmod go-w \(open.map(shellQuoted).joined(separator: " "))"
            let text = "others may write to \(first), and whoever can drop a prompt runs commands as you"
            return allowsShared
                ? .warn("permissions", text + " (--allow-shared)", mend: remedy) : .fail("permissions", text, mend: remedy)
        } catch {
            return .fail("permissions", error, mend: "ls -ld \(shellQuoted(path))")
        }
    }

    private func owner(_ root: Directory) -> Diagnosis {
        do {
            let (owner, user) = (try root.status().owner, geteuid())
            guard owner == user else {
                return .fail(
                    "owner", "\(path) belongs to user \(owner), and this is user \(user)",
                    mend: "sudo chown -R \(user) \(shellQuoted(path)), or run flowspool as user \(owner)")
            }
            try root.checkWritable()
            for name in [SpoolFolder.controlName] + SpoolFolder.placeNames where try root.status(name)?.kind == .folder {
                try root.folder(name).checkWritable()
            }
            return .ok("owner", "it is yours and writable")
        } catch {
            return .fail("owner", error, mend: "ls -ld \(shellQuoted(path))")
        }
    }

    /// statvfs(3). A filesystem that has no fixed number of files says 0 of 0.
    private func space(_ root: Directory) -> [Diagnosis] {
        var info = statvfs()
        guard fstatvfs(root.descriptor, &info) == 0 else {
            return [.warn("space", "\(path): \(String(cString: strerror(errno)))", mend: "df -h \(shellQuoted(path))")]
        }
        let bytes = UInt64(info.f_bavail) * UInt64(info.f_frsize)
        let text = "\(bytes >> 20) MiB free"
        let remedy = "flowspool prune --older-than 30d --spool \(shellQuoted(path)), or make room: df -h \(shellQuoted(path))"
        var found: [Diagnosis] = []
        if bytes < Self.bytesLeast {
            found.append(.fail("space", text, mend: remedy))
        } else {
            found.append(bytes < Self.bytesGood ? .warn("space", text, mend: remedy) : .ok("space", text))
        }
        guard info.f_files > 0 else { return found }
        let files = UInt64(info.f_favail)
        let free = "\(files) inodes free"
        if files < Self.filesLeast {
            found.append(.fail("inodes", free, mend: remedy))
        } else {
            found.append(files < Self.filesGood ? .warn("inodes", free, mend: remedy) : .ok("inodes", free))
        }
        return found
    }

    /// Tried on the lock file, which nobody but a runner opens, and given up at once.
    private func leases(_ spool: SpoolFolder) -> Diagnosis {
        let name = RunnerLock.fileName
        do throws(SystemCallError) {
            guard try spool.control.status(name) != nil else { return .ok("leases", "not tried: no runner has been here yet") }
            let file = try spool.control.openForReading(name)
            let lease = try file.takeReadLease()
            file.endLease()
            if lease != .unsupported { return .ok("leases", "they tell whether a file is still being written") }
            return .warn(
                "leases", "not on this filesystem: a file is taken when it has not changed for 2 s",
                mend: "drop prompts by renaming them into the folder, or use a local filesystem")
        } catch {
            return .fail("leases", error, mend: "ls -l \(shellQuoted(spool.control.pathOf(name)))")
        }
    }

    // MARK: What stands in it

    private func settings() -> Diagnosis {
        do throws(FlowspoolError) {
            let settings = try SpoolConfiguration.load(spool: path)
            return .ok("settings", settings.path ?? "no spool.yaml, so the defaults")
        } catch {
            return .fail("settings", error, mend: "see docs/spool-yaml.md")
        }
    }

    private func contract(_ root: Directory) -> Diagnosis {
        do {
            try ContractFiles.check(root)
            return .ok("contract", "the .prompt-pipeline.* files are as they should be")
        } catch {
            return .fail("contract", error, mend: "move the file out of the way; it is made anew")
        }
    }

    private func hold(_ root: Directory, _ status: SpoolStatus?) -> [Diagnosis] {
        let remedy = "flowspool resume --spool \(shellQuoted(path))"
        if let hold = status?.hold { return [.warn("hold", "on hold: \(hold.reason)", mend: remedy)] }
        guard status == nil else { return [.ok("hold", "not on hold")] }
        do {
            if let file = try HoldFile.read(in: root) {
                let mend = SpoolFolder.isSpool(path) ? remedy : "rm \(shellQuoted(ContractFile.hold.path(in: path)))"
                return [.warn("hold", "on hold: \(file.reason)", mend: mend)]
            }
            return []
        } catch {
            return [.fail("hold", error, mend: remedy)]
        }
    }

    private func ledger(_ spool: SpoolFolder) -> [Diagnosis] {
        do {
            guard try spool.control.status(Ledger.fileName) != nil else {
                return [.warn("ledger", "there is none yet", mend: "flowspool init \(shellQuoted(path))")] + hold(spool.root, nil)
            }
            let ledger = try Ledger.examine(spool)
            let lines = try ledger.integrityCheck()
            guard lines == ["ok"] else {
                let text = "damaged: \(lines.prefix(3).joined(separator: "; "))"
                return [.fail("ledger", text, mend: Ledger.setAside(spool.ledgerPath))] + hold(spool.root, nil)
            }
            guard try ledger.isUpToDate() else {
                let text = "written by an older flowspool; the next command that changes something brings it up to date"
                return [.ok("ledger", text)] + hold(spool.root, nil)
            }
            let status = try SpoolStatus(spool, ledger)
            let jobs = status.counts.values.reduce(0, +)
            return [.ok("ledger", "sound, \(counted(jobs, "job"))"), try times(ledger), runner(status)] + hold(spool.root, status)
        } catch {
            return [.fail("ledger", error, mend: Ledger.setAside(spool.ledgerPath))] + hold(spool.root, nil)
        }
    }

    /// Whether the clock has been set back behind what the ledger remembers.
    private func times(_ ledger: Ledger) throws -> Diagnosis {
        guard let last = try ledger.read({ try $0.lastMoment() }) else { return .ok("times", "nothing has happened yet") }
        let text = "the last change was at \(utcText(last, fraction: false))"
        // Five minutes: what two machines' clocks may differ by before it matters to anything here.
        if last - now > 300_000 {
            return .warn("times", text + ", which is still to come", mend: "set the clock: timedatectl")
        }
        return .ok("times", text)
    }

    private func runner(_ status: SpoolStatus) -> Diagnosis {
        if let runner = status.runner {
            return .ok("runner", "\(runner.command), process \(runner.pid), since \(utcText(runner.since, fraction: false))")
        }
        let left = status.counts[.active] ?? 0
        guard left == 0 else {
            return .warn(
                "runner", "none, and \(counted(left, "job")) left active by one that died",
                mend: "flowspool watch --spool \(shellQuoted(path)), or flowspool fsck --repair --spool \(shellQuoted(path))")
        }
        return .ok("runner", "none at work")
    }
}

extension LedgerTransaction {
    /// When the newest change of a job was written down; nil where there was none.
    func lastMoment() throws -> Int64? {
        try row("SELECT at FROM transitions ORDER BY id DESC LIMIT 1")?[0]
    }
}
