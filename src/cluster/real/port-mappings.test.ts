import { expect, test } from "vitest";
import { mappingsOf } from "./port-mappings.js";

// As iptables-save 1.8.9 prints what the portmap plugin 1.1 made.
const rules = String.raw`*nat
:PREROUTING ACCEPT [0:0]
:CNI-DN-0a1b2c - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-DN-0a1b2c -p tcp -m tcp --dport 30123 -j DNAT --to-destination 10.180.1.2:8080
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"coxswain-0-node-1\" id: \"f00\"" -m multiport --dports 30123 -j CNI-DN-0a1b2c
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"other\" id: \"ba5\"" -m multiport --dports 99 -j CNI-DN-ffffff
COMMIT
`;

test("only what was mapped for our networks goes", () => {
  expect(mappingsOf(rules, "coxswain-0")).toEqual({
    deletions: [
      [
        ...["-D", "CNI-HOSTPORT-DNAT", "-p", "tcp", "-m", "comment", "--comment"],
        'dnat name: "coxswain-0-node-1" id: "f00"',
        ...["-m", "multiport", "--dports", "30123", "-j", "CNI-DN-0a1b2c"],
      ],
    ],
    chains: ["CNI-DN-0a1b2c"],
  });
  expect(mappingsOf(rules, "coxswain-00")).toEqual({ deletions: [], chains: [] });
});
