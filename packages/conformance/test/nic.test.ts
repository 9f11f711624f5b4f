// The suite for NICs on the cable in memory: both of its ends, plain and with offloads.

import type { NetworkLink } from "@ringzero/api";
import { describeNic } from "@ringzero/conformance";
import { cable, type CableEnd, type CableOptions } from "@ringzero/testing";

function describeCable(name: string, options: CableOptions): void {
  const fars = new WeakMap<NetworkLink, CableEnd>();
  const make = (): CableEnd => {
    const [link, far] = cable(options);
    fars.set(link, far);
    return link;
  };
  describeNic(name, make, {
    far: (link) => fars.get(link)!,
    carrier: (link, up) => (link as CableEnd).setCarrier(up),
  });
}

describeCable("cable", {});
describeCable("cable with a queue of one frame", { queueFrames: 1 });
describeCable("cable with offloads", { capabilities: { segmentationOffload: true, checksumOffload: true, mtuBytes: 9000 } });
describeNic("cable whose other end nobody has", () => cable()[0]);
