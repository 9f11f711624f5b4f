// The suite on the fake backend, which runs a script and no guest code: whatever the contract says of the rest holds there too.

import { describeBackend } from "@ringzero/conformance";
import { FakeBackend } from "@ringzero/testing";

describeBackend("fake", () => new FakeBackend(), {
  without: { "guest-code": "a fake runs a script", interrupts: "a fake has no interrupt controllers, and takes any line" },
});
