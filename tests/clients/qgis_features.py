"""Run by the Python that QGIS belongs to: a layer of OGC API – Features, counted, boxed and filtered; told as JSON.

``python3 qgis_features.py SERVICE COLLECTION WEST SOUTH EAST NORTH EXPRESSION``, bounds in longitude and latitude.
"""

import json
import os
import sys

from qgis.core import QgsApplication, QgsFeatureRequest, QgsRectangle, QgsVectorLayer, QgsWkbTypes


def main() -> None:
    service, collection, west, south, east, north, expression = sys.argv[1:]
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsVectorLayer(f"url='{service}' typename='{collection}' pageSize='1000'", collection, "OAPIF")
    told = {"valid": layer.isValid(), "error": layer.error().message(), "crs": layer.crs().authid()}
    told["fields"] = [field.name() for field in layer.fields()]
    told["geometry"] = QgsWkbTypes.displayString(layer.wkbType())
    key = layer.fields().indexOf("parcel_id")
    told["all"] = sum(1 for _ in layer.getFeatures())
    told["count"] = layer.featureCount()
    box = QgsFeatureRequest().setFilterRect(QgsRectangle(float(west), float(south), float(east), float(north)))
    told["in_box"] = sorted(feature.attribute(key) for feature in layer.getFeatures(box))
    filtered = QgsVectorLayer(f"url='{service}' typename='{collection}'", collection, "OAPIF")
    told["set"] = filtered.setSubsetString(expression)
    told["filtered"] = sorted(feature.attribute(key) for feature in filtered.getFeatures())
    print(json.dumps(told), flush=True)
    os._exit(0)  # its end waits for, or falls over, the threads of the provider


main()
