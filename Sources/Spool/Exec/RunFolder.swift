// The folder of one attempt: block files, logs, what blocks hand on, the result. Everything in it has mode 0600, the folder
// 0700, whatever the umask. A block of the attempt can write here as well: what it left under a name is never followed,
// never waited for and never trusted.

import Foundation

/// The run folder, held open while the attempt lasts.
struct RunFolder: Sendable {
    static let environmentName = "env"
    static let resultName = "result.json"
    /// More than execve(2) takes in one environment on a machine with default limits leaves room for.
    static let environmentBytesMax = 256 << 10

    let directory: Directory

    var path: String { directory.path }

    /// - Throws: `SystemCallError` where the folder does not exist or its mode cannot be set.
    init(path: String, calls: SystemCalls = .live) throws(SystemCallError) {
        directory = try Directory(path: path, calls: calls)
        let status = try directory.status()
        if status.mode != 0o700 { try calls.run(.fchmod, path) { fchmod(directory.descriptor, 0o700) } }
    }

    /// One that was made with mode 0700.
    init(_ directory: Directory) { self.directory = directory }

    static func blockName(_ number: Int) -> String { "block-\(threeDigits(number)).sh" }
    static func logName(_ number: Int) -> String { "block-\(threeDigits(number)).log" }

    private static func threeDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits
    }

    /// Writes a file, mode 0600. Whatever else stood under the name is unlinked, not written to; a file of ours that holds
    /// these bytes already stays.
    func write(_ name: String, _ bytes: Data) throws(SystemCallError) {
        if try holds(name, bytes) { return }
        let file = try create(name)
        if try file.status().mode != 0o600 { try file.setMode(0o600) }
        if !bytes.isEmpty { try file.write(bytes) }
    }

    /// Replaces what stands in a file that this process has made.
    func fill(_ name: String, _ bytes: Data) throws(SystemCallError) {
        let file = try directory.openForWriting(name)
        try file.write(bytes)
        try file.truncate(bytes.count)
    }

    private func holds(_ name: String, _ bytes: Data) throws(SystemCallError) -> Bool {
        guard let status = try directory.status(name), status.kind == .regular, status.links == 1, status.mode == 0o600,
            status.owner == geteuid(), status.size == bytes.count
        else { return false }
        if bytes.isEmpty { return true }
        return try directory.openForReading(name).readAll(bytesMax: bytes.count + 1) == bytes
    }

    private func create(_ name: String) throws(SystemCallError) -> OpenFile {
        do {
            return try directory.create(name)
        } catch {
            guard error.errno == EEXIST else { throw error }
        }
        try directory.remove(name)
        return try directory.create(name)
    }

    /// Writes the result so that a reader sees a whole one or none. Not fsynced: the ledger has the truth.
    func writeResult(_ bytes: Data) throws(SystemCallError) {
        let aside = "." + Self.resultName
        try write(aside, bytes)
        try directory.move(aside, to: Self.resultName)
    }

    /// Appends a note of flowspool's own to a block's log.
    func note(_ text: String, inLogOf block: Int) {
        // A log that cannot be opened any more has lost nothing by it: the same text is in the attempt's message.
        guard let file = try? directory.openForAppending(Self.logName(block)), (try? file.status())?.kind == .regular else {
            return
        }
        try? file.write(Data("[flowspool: \(printable(text))]\n".utf8))
    }

    /// What stands in the file behind `$FLOWSPOOL_ENV`.
    ///
    /// - Returns: nil where nothing was written.
    /// - Throws: `SystemCallError`; `EFBIG` above the bound, `EINVAL` where a block put something other than a file there.
    func handedOn() throws(SystemCallError) -> Data? {
        guard let status = try directory.status(Self.environmentName), status.kind != .regular || status.size > 0 else {
            return nil
        }
        let path = directory.pathOf(Self.environmentName)
        guard status.kind == .regular else { throw SystemCallError(call: .open, path: path, errno: EINVAL) }
        let file = try directory.openForReading(Self.environmentName)
        let opened = try file.status()
        guard opened.kind == .regular else { throw SystemCallError(call: .open, path: path, errno: EINVAL) }
        guard opened.size <= Self.environmentBytesMax else { throw SystemCallError(call: .read, path: path, errno: EFBIG) }
        return try file.readAll(bytesMax: Self.environmentBytesMax)
    }
}
