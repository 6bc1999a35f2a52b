import { describe, expect, it } from "vitest";
import { validateAccessReview } from "./review-validation.js";

type Review = Parameters<typeof validateAccessReview>[0];
type About = Parameters<typeof validateAccessReview>[1];

const pods = { verb: "get", resource: "pods" };
const rows: { name: string; review: Review; about?: About; errors: string[] }[] = [
  { name: "about a resource", review: { spec: { user: "anna", resourceAttributes: pods } }, errors: [] },
  { name: "about one's own rights", review: { spec: { resourceAttributes: pods } }, about: "own", errors: [] },
  {
    name: "about nothing, of nobody",
    review: {},
    errors: [
      "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    ],
  },
  {
    name: "about two things",
    review: { spec: { groups: ["staff"], resourceAttributes: pods, nonResourceAttributes: { path: "/x" } } },
    errors: [
      'spec.nonResourceAttributes: Invalid value: {"path":"/x"}: cannot be specified in combination with resourceAttributes',
    ],
  },
  {
    name: "with a name",
    review: { metadata: { name: "x", labels: {} }, spec: { user: "anna", resourceAttributes: pods } },
    errors: ['metadata: Invalid value: {"name":"x","labels":{}}: must be empty'],
  },
  {
    name: "with a selector in both forms, and in none",
    review: {
      spec: {
        user: "anna",
        resourceAttributes: {
          ...pods,
          fieldSelector: { rawSelector: "a=b", requirements: [{ key: "", operator: "In" }] },
          labelSelector: {},
        },
      },
    },
    errors: [
      'spec.resourceAttributes.fieldSelector.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements',
      "spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified",
      "spec.resourceAttributes.fieldSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      "spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required",
    ],
  },
  {
    name: "with operators of a later version",
    review: {
      spec: {
        user: "anna",
        resourceAttributes: { ...pods, labelSelector: { requirements: [{ key: "a", operator: "Near" }] } },
      },
    },
    errors: [],
  },
  {
    name: "within its namespace",
    review: { metadata: { namespace: "a" }, spec: { user: "anna", resourceAttributes: { ...pods, namespace: "a" } } },
    about: { namespace: "a" },
    errors: [],
  },
  {
    name: "within another namespace",
    review: { spec: { user: "anna", resourceAttributes: pods } },
    about: { namespace: "a" },
    errors: ['spec.resourceAttributes.namespace: Invalid value: "": must match metadata.namespace'],
  },
  {
    name: "within a namespace about a path",
    review: { spec: { user: "anna", nonResourceAttributes: { path: "/x" } } },
    about: { namespace: "a" },
    errors: ['spec.nonResourceAttributes: Invalid value: {"path":"/x"}: disallowed on this kind of request'],
  },
];

describe("reviews of access", () => {
  it.each(rows)("$name", ({ review, about = "others", errors }) => {
    const found = validateAccessReview(review, about);
    expect(found.map((error) => `${error.path}: ${error.message}`)).toEqual(errors);
  });
});
