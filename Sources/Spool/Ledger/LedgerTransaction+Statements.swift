// How the ledger's statements are executed. GRDB prepares each once for a connection and keeps it. The values of one that changes
// something are bound to it here, by SQLite's own calls: GRDB's way to do it copies them twice and nests a closure for each, which took
// as long as SQLite itself. GRDB is to hear of what begins and ends a transaction or changes the schema: none of those goes this way.

import GRDB
import GRDBSQLite

extension LedgerTransaction {
    /// Executes a statement with its values, in the order of its placeholders.
    func execute(_ sql: String, _ values: [(any StatementBinding)?] = []) throws {
        _ = try number(sql, values)
    }

    /// As above, with values of one type.
    func execute(_ sql: String, all values: [DatabaseValue]) throws {
        _ = try step(sql, count: values.count) { values[$1].bind(to: $0, at: CInt($1 + 1)) }
    }

    /// The first column of the first row that a question is answered with; nil without a row, and where that column is NULL.
    func number(_ sql: String, _ values: [(any StatementBinding)?] = []) throws -> Int64? {
        try step(sql, count: values.count) { statement, index in
            guard let value = values[index] else { return sqlite3_bind_null(statement, CInt(index + 1)) }
            return value.bind(to: statement, at: CInt(index + 1))
        }
    }

    /// - Parameter bind: binds the value with this index, and returns SQLite's code.
    /// - Returns: the number in the first column of the first row.
    private func step(_ sql: String, count: Int, _ bind: (SQLiteStatement, Int) -> CInt) throws -> Int64? {
        let statement = try db.cachedStatement(sql: sql).sqliteStatement
        guard count == Int(sqlite3_bind_parameter_count(statement)) else {
            throw DatabaseError(
                resultCode: .SQLITE_MISUSE, message: "\(count) values for another number of placeholders", sql: sql)
        }
        // A statement that has been stepped holds its locks, and takes no values, until it is reset.
        defer { sqlite3_reset(statement) }
        for index in 0..<count {
            let code = bind(statement, index)
            guard code == SQLITE_OK else { throw failure(code, sql) }
        }
        var number: Int64?
        var isFirst = true
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_DONE: return number
            case SQLITE_ROW:
                if isFirst, sqlite3_column_type(statement, 0) == SQLITE_INTEGER { number = sqlite3_column_int64(statement, 0) }
                isFirst = false
            case let code: throw failure(code, sql)
            }
        }
    }

    private func failure(_ code: CInt, _ sql: String) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage, sql: sql)
    }
}
