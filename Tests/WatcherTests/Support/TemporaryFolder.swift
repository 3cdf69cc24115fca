// A folder of its own for each test, removed with all that is in it when the test lets go of it. Names are raw bytes, so
// the calls are the system's.

import Foundation
import Glibc

final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array((FileManager.default.temporaryDirectory.path + "/watcher-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(call: "mkdtemp", errno: errno) }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    struct Failure: Error {
        let call: String
        let errno: Int32
    }

    static func check(_ call: String, _ result: Int32) throws {
        if result < 0 { throw Failure(call: call, errno: errno) }
    }

    func make(_ name: String) throws -> String {
        try Self.check("mkdir", mkdir(path + "/" + name, 0o755))
        return path + "/" + name
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Creates or opens the file for writing, writes a byte, closes it.
func write(_ name: [UInt8], in folder: String) throws {
    let path = (bytes(folder + "/") + name + [0]).map { CChar(bitPattern: $0) }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    try TemporaryFolder.check("open", descriptor)
    try TemporaryFolder.check("write", Int32(Glibc.write(descriptor, "x", 1)))
    try TemporaryFolder.check("close", close(descriptor))
}

func write(_ name: String, in folder: String) throws { try write(bytes(name), in: folder) }

func move(_ from: String, _ to: String) throws { try TemporaryFolder.check("rename", rename(from, to)) }

func remove(_ folder: String) throws { try FileManager.default.removeItem(atPath: folder) }

func makeFolder(_ path: String) throws { try TemporaryFolder.check("mkdir", mkdir(path, 0o755)) }
