export { tableRepresenter } from "./representer.js";
export type {
  IncludeObject,
  MetaVersion,
  PartialObjectMetadata,
  PartialObjectMetadataList,
  Table,
  TableColumn,
  TableOptions,
  TableRow,
} from "./table.js";
export { parseIncludeObject, partialMetadata, partialMetadataList, tableOf } from "./table.js";
