"""The records of a net: schemas over its external inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffe2.python import schema
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net_blobs import NetBlobs
from caffe2.python._misuse import demand
from caffe2.python.scope import NameScope


class NetRecords(NetBlobs):
    """The part of a net that holds its input and output record."""

    _input_record: schema.Field | None = None
    _output_record: schema.Field | None = None

    def input_record(self) -> schema.Field | None:
        """The record of external inputs; None where none is set."""
        return self._input_record

    def output_record(self) -> schema.Field | None:
        """The record of external outputs; None where none is set."""
        return self._output_record

    def set_input_record(self, input_record: schema.Field) -> schema.Field:
        """Make the blobs of a record external inputs, the blobs too where it is a mere schema; the record.

        Raises Misuse where another record is set.
        """
        demand(_may_replace(self._input_record, input_record), "Input schema cannot be reset")
        if not input_record.has_blobs():
            with NameScope(self._net.name):
                input_record = schema.NewRecord(self, input_record)
        self._input_record = input_record
        for blob in input_record.field_blobs():
            if not self.is_external_input(blob):
                self.AddExternalInput(blob)
        return input_record

    def set_output_record(self, record: schema.Field) -> None:
        """Make the blobs of a record external outputs. Raises Misuse where the net does not define one."""
        demand(_may_replace(self._output_record, record), "Output schema cannot be reset")
        self._demand_defined(record)
        for blob in record.field_blobs():
            if str(blob) not in self._net.external_output:
                self.AddExternalOutput(blob)
        self._output_record = record

    def AppendOutputRecordField(self, field_name: str, record: schema.Field) -> None:
        """Add a field to the output record, and its blobs to the external outputs."""
        demand(self._output_record is not None, "Tried to append to missing output record")
        self._demand_defined(record)
        self.AddExternalOutput(*record.field_blobs())
        self._output_record = self._output_record + schema.Struct((field_name, record))

    def _demand_defined(self, record: schema.Field) -> None:
        for blob in record.field_blobs():
            demand(self.BlobIsDefined(blob), f"{blob} is not defined in net {self._net.name!r}")

    def recover_input_record_by_prefix(self, prefix: str) -> None:
        """Set as input record the external inputs of that prefix, the rest of whose names are taken for columns."""
        record = _recover_record_by_prefix(self._net.external_input, prefix)
        if record:
            self.set_input_record(record)

    def recover_output_record_by_prefix(self, prefix: str) -> None:
        """Set as output record the external outputs of that prefix, the rest of whose names are taken for columns."""
        record = _recover_record_by_prefix(self._net.external_output, prefix)
        if record:
            self.set_output_record(record)

    def _take_records(self, other: NetRecords, remap: Mapping[str, Any]) -> None:
        """The records of another net, with the blobs renamed."""

        def renamed(record: schema.Field | None) -> schema.Field | None:
            if not record:
                return None
            blobs = [BlobReference(str(remap.get(str(b), str(b))), self) for b in record.field_blobs()]
            return schema.from_blob_list(record, blobs)

        self._input_record, self._output_record = renamed(other._input_record), renamed(other._output_record)


def _may_replace(old: schema.Field | None, new: schema.Field) -> bool:
    return old is None or (new.has_blobs() and set(new.field_blobs()) == set(old.field_blobs()))


def _recover_record_by_prefix(names: Iterable[str], prefix: str = "") -> schema.Field | None:
    columns = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if not columns:
        return None
    return schema.from_column_list(columns, col_blobs=[BlobReference(prefix + column) for column in columns])
