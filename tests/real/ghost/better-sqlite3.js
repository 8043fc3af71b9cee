// Stands where better-sqlite3 would load what it compiles on this machine; libsql answers the same calls, ready-made.
module.exports = require('libsql');
