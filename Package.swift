// swift-tools-version: 6.2
import PackageDescription

var swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
]
// CI sets this (.ci/run). Not the default, so that a newer compiler's new warning stops nobody from building.
if Context.environment["FLOWSPOOL_STRICT"] == "1" {
    swiftSettings.append(.treatAllWarnings(as: .error))
}

let package = Package(
    name: "flowspool",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "flowspool", targets: ["flowspool"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CInotifyTools", providers: [.apt(["libinotifytools0-dev"])]),
        .systemLibrary(name: "CCommonMark", providers: [.apt(["libcmark-dev"])]),
        .systemLibrary(name: "CMessageDigest", providers: [.apt(["libmd-dev"])]),
        .target(name: "CSystemCalls"),
        .target(
            name: "Watcher",
            dependencies: ["CInotifyTools"],
            swiftSettings: swiftSettings),
        .target(
            name: "Spool",
            dependencies: [
                "CCommonMark", "CMessageDigest", "CSystemCalls",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "flowspool",
            dependencies: [
                "Watcher", "Spool",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "WatcherTests", dependencies: ["Watcher"], swiftSettings: swiftSettings),
        .testTarget(
            name: "SpoolTests", dependencies: ["Spool"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FlowspoolTests", dependencies: ["flowspool", "Spool"], swiftSettings: swiftSettings),
    ]
)

// `Tests/Fuzz/run` sets this to the path of libFuzzer's runtime, which is a part of the Swift toolchain: the library is then built so that
// the fuzzer sees which code an input reaches, and the fuzzer is built in place of the tests.
if let runtime = Context.environment["FLOWSPOOL_FUZZ"] {
    package.targets.removeAll(where: \.isTest)
    let instrumented = swiftSettings + [.unsafeFlags(["-sanitize=fuzzer", "-O"])]
    package.targets.first { $0.name == "Spool" }?.swiftSettings = instrumented
    package.targets.append(
        .executableTarget(
            name: "flowspool-fuzz", dependencies: ["Spool"], path: "Tests",
            sources: ["Fuzz/FuzzDriver.swift", "SpoolTests/Fuzz/FuzzTargets.swift"],
            swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library", "-O"])],
            linkerSettings: [.unsafeFlags([runtime]), .linkedLibrary("stdc++")]))
}
