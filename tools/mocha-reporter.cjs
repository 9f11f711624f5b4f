// Mocha's Spec reporter, followed by the line "N passed, N failed" over everything.

const { reporters, Runner } = require("mocha");

module.exports = class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0 } = this.stats;
      console.log(`${passes} passed, ${failures} failed`);
    });
  }
};
