# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""estimators.py [--only=EXPRESSION] [--jobs=N] [--time]: models of scikit-learn, LightGBM and XGBoost, trained on data that
scikit-learn brings along and converted with default options: compiled models predict what the estimators themselves
predict, and what ONNX Runtime computes from the same file.

--time prints the time of ensembles of trees against ONNX Runtime instead.
"""
import argparse
import os
import re
import sys
import time
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

import lightgbm  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxmltools  # noqa: E402
import onnxruntime  # noqa: E402
import xgboost  # noqa: E402
from onnxmltools.convert.common import data_types  # noqa: E402
from skl2onnx import to_onnx  # noqa: E402
from skl2onnx.common.data_types import StringTensorType  # noqa: E402
from sklearn import (  # noqa: E402
    base,
    calibration,
    cluster,
    compose,
    datasets,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

import hone  # noqa: E402
import workers  # noqa: E402

ROWS = 120
OPSETS = {"": 18, "ai.onnx.ml": 3}
# Estimators compute with f64, their models with f32.
TOLERANCE = dict(rtol=1e-3, atol=1e-3)


def scaled(loader):
    x, y = loader(return_X_y=True)
    return preprocessing.StandardScaler().fit_transform(x).astype(np.float32), y


def with_gaps(loader):
    """One value in seven is missing."""
    x, y = scaled(loader)
    x[np.random.default_rng(0).random(x.shape) < 1 / 7] = np.nan
    return x, y


def with_names():
    x, y = scaled(datasets.load_iris)
    return x, np.array(["setosa", "versicolor", "virginica"])[y]


def categories():
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 40, 600), rng.integers(0, 5, 600), rng.normal(size=600)], axis=1).astype(np.float32)
    return x, ((x[:, 0] % 7 < 3) ^ (x[:, 1] > 2)).astype(np.int64)


def words():
    rng = np.random.default_rng(0)
    return np.array([["red", "green", "blue"], ["small", "large", "?"]], dtype=object).T[rng.integers(0, 3, (200, 1)), [0, 1]], None


def documents():
    """Sentences of three topics, some with letters that ASCII does not have, and one without a word; the label is the topic."""
    rng = np.random.default_rng(0)
    topics = ["cat dog mouse bird Horse", "Car bus tram train 2nd", "café crème Brûlée naïve ÉCLAIR"]
    common = "the an with under over on my your it is".split()
    texts, labels = [], rng.integers(0, 3, 200)
    for label in labels:
        own = topics[label].split() + common
        said = [own[i] for i in rng.integers(0, len(own), rng.integers(3, 12))]
        texts.append(" ".join(w + rng.choice(["", "", ",", "!"]) for w in said))
    texts[7] = ""
    return np.array(texts, dtype=object)[:, None], np.array(["animal", "vehicle", "food"])[labels]


DATA = {
    "documents": documents,
    "iris": lambda: scaled(datasets.load_iris),
    "iris-names": with_names,
    "iris-gaps": lambda: with_gaps(datasets.load_iris),
    "cancer": lambda: scaled(datasets.load_breast_cancer),
    "cancer-gaps": lambda: with_gaps(datasets.load_breast_cancer),
    "diabetes": lambda: scaled(datasets.load_diabetes),
    "diabetes-gaps": lambda: with_gaps(datasets.load_diabetes),
    "categories": categories,
    "words": words,
}

CLASSIFIERS = [
    linear_model.LogisticRegression(),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(random_state=0),
    linear_model.Perceptron(),
    svm.LinearSVC(),
    svm.SVC(),
    svm.SVC(kernel="linear"),
    svm.SVC(kernel="poly"),
    svm.SVC(kernel="sigmoid"),
    svm.SVC(probability=True, random_state=0),
    svm.NuSVC(nu=0.1),
    tree.DecisionTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(20, random_state=0),
    ensemble.ExtraTreesClassifier(20, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0),
    ensemble.AdaBoostClassifier(n_estimators=10, random_state=0),
    ensemble.BaggingClassifier(n_estimators=5, random_state=0),
    ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(random_state=0))], flatten_transform=False),
    neighbors.KNeighborsClassifier(),
    naive_bayes.GaussianNB(),
    naive_bayes.BernoulliNB(),
    neural_network.MLPClassifier(random_state=0),
    discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.01),
    multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    calibration.CalibratedClassifierCV(linear_model.LogisticRegression()),
]
REGRESSORS = [
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(),
    linear_model.ElasticNet(),
    linear_model.BayesianRidge(),
    svm.SVR(),
    svm.NuSVR(),
    svm.LinearSVR(random_state=0),
    tree.DecisionTreeRegressor(random_state=0),
    ensemble.RandomForestRegressor(20, random_state=0),
    ensemble.ExtraTreesRegressor(20, random_state=0),
    ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0),
    ensemble.AdaBoostRegressor(n_estimators=10, random_state=0),
    neighbors.KNeighborsRegressor(),
    neural_network.MLPRegressor(random_state=0),
    gaussian_process.GaussianProcessRegressor(alpha=1.0),
    ensemble.IsolationForest(n_estimators=10, random_state=0),
    svm.OneClassSVM(),
    cluster.KMeans(3, random_state=0),
    cluster.MiniBatchKMeans(3, random_state=0),
]
TRANSFORMERS = [
    preprocessing.StandardScaler(),
    preprocessing.MinMaxScaler(),
    preprocessing.RobustScaler(),
    preprocessing.Normalizer(),
    preprocessing.Binarizer(threshold=0.1),
    preprocessing.PolynomialFeatures(2),
    preprocessing.KBinsDiscretizer(4, encode="ordinal"),
    preprocessing.PowerTransformer(),
    decomposition.PCA(3),
    decomposition.TruncatedSVD(3),
    feature_selection.SelectKBest(k=4),
    feature_selection.VarianceThreshold(),
]
# Trees of scikit-learn lose the branch for missing values in conversion; those of the other two keep it.
GAPS = [
    (pipeline.make_pipeline(impute.SimpleImputer(), linear_model.LogisticRegression()), "iris-gaps"),
    (pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), linear_model.Ridge()), "diabetes-gaps"),
]
WORDS = [
    (preprocessing.OneHotEncoder(handle_unknown="ignore"), "words"),
    (preprocessing.OrdinalEncoder(), "words"),
    (compose.ColumnTransformer([("one", preprocessing.OneHotEncoder(), [0, 1]), ("rest", "passthrough", [2])]), "categories"),
]
# Words are what lies between spaces and marks: the converter's default pattern knows letters of ASCII alone, and words of one.
MARKED = dict(token_pattern="[^ ,!]+")
TEXTS = [
    feature_extraction.text.CountVectorizer(**MARKED),
    feature_extraction.text.CountVectorizer(lowercase=False, binary=True, max_features=12, **MARKED),
    feature_extraction.text.CountVectorizer(ngram_range=(1, 3), **MARKED),
    feature_extraction.text.CountVectorizer(stop_words=["the", "it", "café"], **MARKED),
    feature_extraction.text.CountVectorizer(analyzer="char", ngram_range=(1, 2)),
    feature_extraction.text.TfidfVectorizer(**MARKED),
    feature_extraction.text.TfidfVectorizer(norm="l1", ngram_range=(2, 2), **MARKED),
    pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(**MARKED), linear_model.LogisticRegression()),
    pipeline.make_pipeline(feature_extraction.text.CountVectorizer(**MARKED), feature_extraction.text.TfidfTransformer(), linear_model.LogisticRegression()),
    pipeline.make_pipeline(feature_extraction.text.CountVectorizer(ngram_range=(1, 2), **MARKED), naive_bayes.MultinomialNB()),
    pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(**MARKED), linear_model.SGDClassifier(random_state=0)),
    pipeline.make_pipeline(feature_extraction.text.CountVectorizer(**MARKED), ensemble.RandomForestClassifier(10, random_state=0)),
]


def boosted():
    """Estimators of LightGBM and XGBoost, and their data."""
    for data in ("iris", "iris-gaps", "cancer", "cancer-gaps", "categories"):
        yield lightgbm.LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1, n_jobs=1), data
        if data != "categories":
            yield xgboost.XGBClassifier(n_estimators=20, n_jobs=1), data
    for data in ("diabetes", "diabetes-gaps"):
        yield lightgbm.LGBMRegressor(n_estimators=20, min_child_samples=5, verbose=-1, n_jobs=1), data
        yield xgboost.XGBRegressor(n_estimators=20, n_jobs=1), data


class Case:
    """An estimator, its training data, and whether its probabilities are dictionaries."""

    def __init__(self, estimator, data, zipmap=None):
        self.estimator, self.data, self.zipmap = estimator, data, zipmap
        names = [type(estimator).__name__, getattr(estimator, "kernel", None), data, "zipmap" if zipmap else None]
        if isinstance(estimator, pipeline.Pipeline):
            names[1:1] = [type(step).__name__ for _, step in estimator.steps]
        self.name = "-".join(str(n) for n in names if isinstance(n, str))

    def rows(self, x):
        """Rows of a model's input as the estimator takes them: documents in a list."""
        return x[:, 0] if self.data == "documents" else x

    def fit(self):
        """The trained estimator, and rows for prediction."""
        x, y = DATA[self.data]()
        estimator = base.clone(self.estimator)
        categorical = self.data == "categories" and isinstance(estimator, lightgbm.LGBMModel)
        estimator.fit(self.rows(x), y, **({"categorical_feature": [0, 1]} if categorical else {}))
        return estimator, x[:ROWS]

    def convert(self, estimator, x):
        """The bytes of the model."""
        types = [("X", data_types.FloatTensorType([None, x.shape[1]]))]
        if self.data == "documents":
            model = to_onnx(estimator, initial_types=[("X", StringTensorType([None, 1]))], target_opset=OPSETS)
            for node in model.graph.node:
                if node.op_type == "StringNormalizer":  # the default is American English, which ONNX Runtime asks the system for
                    node.attribute.append(onnx.helper.make_attribute("locale", "C.UTF-8"))
            return model.SerializeToString()
        if isinstance(estimator, lightgbm.LGBMModel):
            model = onnxmltools.convert_lightgbm(estimator, initial_types=types, target_opset=15, zipmap=bool(self.zipmap))
        elif isinstance(estimator, xgboost.XGBModel):
            model = onnxmltools.convert_xgboost(estimator, initial_types=types, target_opset=15)
        else:
            options = None if self.zipmap is None else {id(estimator): {"zipmap": self.zipmap}}
            model = to_onnx(estimator, x[:1], options=options, target_opset=OPSETS)
        return model.SerializeToString()


def cases():
    for classifier in CLASSIFIERS:
        zipmaps = (False, True) if hasattr(classifier, "predict_proba") else (None,)
        for data in ("iris", "iris-names", "cancer"):
            # For two classes the converter computes other probabilities than the estimator.
            if data == "cancer" and isinstance(classifier, discriminant_analysis.LinearDiscriminantAnalysis):
                continue
            for zipmap in zipmaps:
                yield Case(classifier, data, zipmap)
    for regressor in REGRESSORS:
        yield Case(regressor, "diabetes")
    for transformer in TRANSFORMERS:
        yield Case(transformer, "diabetes")
    for estimator, data in GAPS + WORDS:
        yield Case(estimator, data)
    for estimator in TEXTS:
        yield Case(estimator, "documents")
    for estimator, data in boosted():
        yield Case(estimator, data, True if isinstance(estimator, lightgbm.LGBMClassifier) else None)


def as_array(value):
    """Probabilities by class, in the order of classes."""
    if isinstance(value, list):
        return np.array([[row[key] for key in sorted(row)] for row in value])
    return np.asarray(value)


def differs(name, found, expected):
    """How two results differ, or nothing. A class may differ where two are equally likely."""
    found, expected = as_array(found), as_array(expected)
    if found.size != expected.size:
        return f"{name}: shape {found.shape}, not {expected.shape}"
    found = found.reshape(expected.shape)
    if expected.dtype.kind == "f":
        far = ~np.isclose(found, expected, **TOLERANCE)
        return far.any() and f"{name}: {found[far][0]} is not {expected[far][0]}, and {far.mean():.1%} of all differ"
    wrong = found.astype(expected.dtype) != expected
    # Counts do not.
    return wrong.mean() > (0.01 if expected.ndim == 1 else 0) and f"{name}: {wrong.mean():.1%} of the classes or counts differ"


def own_results(estimator, x):
    """The estimator's own output: predictions and probabilities, or transformed rows."""
    if not hasattr(estimator, "predict"):
        result = estimator.transform(x)
        return [result.toarray() if hasattr(result, "toarray") else result]
    both = [estimator.predict(x)]
    if hasattr(estimator, "predict_proba"):
        both.append(estimator.predict_proba(x))
    return both


def peer(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # converters declare sizes that are not those of the results
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_case(case):
    estimator, x = case.fit()
    model = case.convert(estimator, x)
    session = peer(model)
    inputs = {session.get_inputs()[0].name: x}
    reference = session.run(None, inputs)
    results = list(hone.compile(model).run(inputs).values())
    for output, found, expected in zip(session.get_outputs(), results, reference, strict=True):
        if problem := differs(f"'{output.name}' against ONNX Runtime", found, expected):
            return "fail", problem
    for what, found, expected in zip(("predictions", "probabilities"), results, own_results(estimator, case.rows(x))):
        if problem := differs(f"{what} beside the estimator", found, expected):
            return "fail", problem
    return "pass", ""


# Ensembles of 4,000 to 65,000 nodes.
TIMED = {
    "LightGBM, 100 trees, 1 output": (lightgbm.LGBMRegressor(verbose=-1, n_jobs=1), datasets.load_diabetes),
    "XGBoost, 100 trees, 3 classes": (xgboost.XGBClassifier(n_jobs=1), datasets.load_iris),
    "random forest, 100 trees, 10 classes": (ensemble.RandomForestClassifier(random_state=0), datasets.load_digits),
    "random forest, 118 trees, 1 output": (ensemble.RandomForestRegressor(118, random_state=0), datasets.load_diabetes),
}


def best(run, feeds, seconds=0.3):
    """Microseconds of a call in the fastest of as many rounds as there is time for. Each round has other rows in each call:
    a processor that has seen a row knows the way of the next one like it."""
    found, end = np.inf, time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        for feed in feeds:
            run(feed)
        found = min(found, time.perf_counter() - begin)
    return found / len(feeds) * 1e6


def print_times():
    print(f"{'one thread, microseconds':<40}{'rows':>6}{'ONNX Runtime':>14}{'Hone':>10}{'times as fast':>15}")
    for name, (estimator, load) in TIMED.items():
        x, y = scaled(load)
        model = Case(estimator, None, False if base.is_classifier(estimator) else None).convert(estimator.fit(x, y), x)
        session, compiled = peer(model), hone.compile(model, threads=1)
        for rows in (1, 100, 2000):
            starts = range(0, len(x), 1 + rows // 10)
            feeds = [{session.get_inputs()[0].name: np.resize(np.roll(x, -start, axis=0), (rows, x.shape[1]))} for start in starts]
            theirs, ours = best(lambda feed: session.run(None, feed), feeds), best(compiled.run, feeds)
            print(f"{name:<40}{rows:>6}{theirs:>14.1f}{ours:>10.1f}{theirs / ours:>15.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name matches this expression")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time", action="store_true", help="compare times, and nothing else")
    args = parser.parse_args()
    if args.time:
        return print_times()
    chosen = [case for case in cases() if re.search(args.only, case.name)]
    failed = 0
    for case, result in workers.run_cases(chosen, run_case, args.jobs, timeout=60):
        if result.verdict != "pass":
            failed += 1
            print(f"FAIL {case.name}: {result.verdict}: {result.detail}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
