// Runs a few statements of a client library and prints the error as the library tells it.
const H = '10.79.0.1'
const tell = (e) => { console.log(`${e.name || 'Error'}: ${e.message || e}${e.code ? ` (code ${e.code})` : ''}`) }
const wait = (ms) => new Promise((done) => setTimeout(done, ms))
process.on('uncaughtException', (e) => { tell(e); process.exit(0) })
process.on('unhandledRejection', (e) => { tell(e); process.exit(0) })
const AsyncFunction = (async () => {}).constructor
new AsyncFunction('require', 'H', 'tell', 'wait', process.argv[2])(require, H, tell, wait).then(() => process.exit(0))
