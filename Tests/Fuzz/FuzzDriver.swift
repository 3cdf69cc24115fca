// The fuzzer: libFuzzer drives one reader (`flowspool-fuzz TARGET [libFuzzer's flags and folders]`), guided by which code an input reaches.
// Built only by `Tests/Fuzz/run`. An input that breaks a property aborts, so that libFuzzer keeps it and can minimise it.

import Foundation

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ tryOne: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The reader under test, chosen by the first argument before anything runs.
private let chosen: FuzzTarget? = CommandLine.arguments.count > 1 ? FuzzTarget(rawValue: CommandLine.arguments[1]) : nil

@main
struct FuzzDriver {
    static func main() {
        guard chosen != nil else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
            print(names)
            exit(CommandLine.arguments.count > 1 ? 64 : 0)
        }
        // libFuzzer gets the program's name and what stands after the reader's.
        var arguments = (CommandLine.arguments.prefix(1) + CommandLine.arguments.dropFirst(2)).map { strdup($0) } + [nil]
        var count = Int32(arguments.count - 1)
        let status = arguments.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard var base = buffer.baseAddress else { return 70 }
            return runDriver(&count, &base) { bytes, length in
                do {
                    try chosen?.check(Array(UnsafeBufferPointer(start: bytes, count: length)))
                } catch {
                    FileHandle.standardError.write(Data("BROKEN \(chosen?.rawValue ?? ""): \(error)\n".utf8))
                    abort()
                }
                return 0
            }
        }
        exit(status)
    }
}
